#pragma once
// Named, typed constants of a node. Kept sorted by name, so equal sets compare and print equal.
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "temper/tensor.h"

namespace temper {

using Ints = std::vector<int64_t>;
using Reals = std::vector<double>;
using Attribute = std::variant<int64_t, double, bool, std::string, Ints, Reals, DType, Shape, Tensor>;

bool operator==(const Tensor& a, const Tensor& b);  // same type and bytes, or the same storage

class Attributes {
 public:
  using Entry = std::pair<std::string, Attribute>;
  Attributes() = default;
  Attributes(std::initializer_list<Entry> entries) {
    for (const Entry& entry : entries) set(entry.first, entry.second);
  }

  const Attribute* find(std::string_view name) const;  // null if absent
  void set(std::string_view name, Attribute value);
  void erase(std::string_view name);
  const std::vector<Entry>& entries() const { return entries_; }

  // The value of a required attribute; internal error if it is absent or of another type.
  template <class T>
  const T& get(std::string_view name) const {
    const Attribute* found = find(name);
    TEMPER_CHECK(found && std::holds_alternative<T>(*found), "attribute ", name);
    return std::get<T>(*found);
  }
  template <class T>
  T get_or(std::string_view name, const T& otherwise) const {
    return find(name) ? get<T>(name) : otherwise;
  }

  friend bool operator==(const Attributes&, const Attributes&) = default;

 private:
  std::vector<Entry> entries_;
};

// Shorthands that pick the right alternative: {"axis", integer(1)}.
inline Attribute integer(int64_t value) { return Attribute(std::in_place_type<int64_t>, value); }
inline Attribute real(double value) { return Attribute(std::in_place_type<double>, value); }
inline Attribute flag(bool value) { return Attribute(std::in_place_type<bool>, value); }
inline Attribute word(std::string_view value) { return Attribute(std::in_place_type<std::string>, value); }

uint64_t hash(const Attributes& attributes);

}  // namespace temper
