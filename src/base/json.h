#pragma once
// JSON values: build, print on one line, parse. Objects keep their order. Numbers that are not finite print
// as null.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace temper {

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  Json() = default;  // null
  Json(std::nullptr_t) {}
  Json(const char* text) : value_(std::string(text)) {}
  Json(std::string_view text) : value_(std::string(text)) {}
  Json(std::string text) : value_(std::move(text)) {}
  Json(Array items) : value_(std::move(items)) {}
  Json(Object members) : value_(std::move(members)) {}
  template <class Number>
    requires std::is_arithmetic_v<Number>
  Json(Number number) {
    if constexpr (std::is_same_v<Number, bool>)
      value_ = number;
    else if constexpr (std::is_integral_v<Number>)
      value_ = static_cast<int64_t>(number);
    else
      value_ = static_cast<double>(number);
  }
  template <class T>
  Json(const std::optional<T>& maybe) {
    if (maybe) *this = Json(*maybe);
  }
  template <class T>
  Json(const std::vector<T>& items) : value_(Array(items.begin(), items.end())) {}
  static Json object() { return Json(Object()); }
  static Json array() { return Json(Array()); }

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_number() const {
    return std::holds_alternative<int64_t>(value_) || std::holds_alternative<double>(value_);
  }

  // Object members. [] adds a missing one; a null becomes an object. at() on a missing member is null.
  Json& operator[](std::string_view key);
  const Json& at(std::string_view key) const;
  const Json* find(std::string_view dotted) const;  // "test.accuracy"; null if absent
  const Object& members() const { return std::get<Object>(value_); }

  const Array& items() const { return std::get<Array>(value_); }
  void push_back(Json item);  // a null becomes an array

  // Error corrupt if it is something else.
  double number() const;
  int64_t integer() const;
  const std::string& text() const;
  bool boolean() const;

  std::string dump() const;                  // one line, UTF-8; bytes that are not UTF-8 become U+FFFD
  static Json parse(std::string_view text);  // Error corrupt: with the byte offset, or the key that stands
                                             // twice; nesting is bounded

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

}  // namespace temper
