#include "base/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "temper/error.h"

namespace temper {
namespace {

constexpr size_t kMaxDepth = 256;

[[noreturn]] void wrong_kind(const Json& value, std::string_view expected) {
  throw Error(ErrorKind::corrupt,
              concat("JSON: expected ", expected, ", found ", value.dump().substr(0, 40)));
}

// Length of the UTF-8 sequence at `text`, 0 if it is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t length = byte(0) < 0x80                      ? 1
                        : byte(0) >= 0xf5 || byte(0) < 0xc2 ? 0
                        : byte(0) >= 0xf0                   ? 4
                        : byte(0) >= 0xe0                   ? 3
                                                            : 2;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (length == 3 && ((byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xed && byte(1) >= 0xa0))) return 0;
  if (length == 4 && ((byte(0) == 0xf0 && byte(1) < 0x90) || (byte(0) == 0xf4 && byte(1) >= 0x90))) return 0;
  return length;
}

void dump_text(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const char c = text[0];
    const size_t length = utf8_length(text);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
    } else if (length == 0) {
      out += "\xef\xbf\xbd";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(1, length));
  }
  out += '"';
}

struct Dump {
  std::string& out;
  void operator()(std::monostate) { out += "null"; }
  void operator()(bool value) { out += value ? "true" : "false"; }
  void operator()(int64_t value) { out += concat(value); }
  void operator()(double value) { out += std::isfinite(value) ? concat(value) : "null"; }
  void operator()(const std::string& value) { dump_text(out, value); }
  void operator()(const Json::Array& items) {
    out += '[';
    for (size_t i = 0; i < items.size(); ++i) out += (i ? "," : "") + items[i].dump();
    out += ']';
  }
  void operator()(const Json::Object& members) {
    out += '{';
    for (size_t i = 0; i < members.size(); ++i) {
      if (i) out += ',';
      dump_text(out, members[i].first);
      out += ':' + members[i].second.dump();
    }
    out += '}';
  }
};

// Builds our values from the parser's events.
class Reader : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return put({}); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override {
    return value <= INT64_MAX ? put(static_cast<int64_t>(value)) : put(static_cast<double>(value));
  }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(false); }
  bool key(string_t& value) override { return keys_.back() = std::move(value), true; }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(true); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return error_at = position, false;
  }

  Json root;
  std::optional<size_t> error_at;
  std::optional<std::string> twice;  // a key that stands twice in one object
  bool too_deep = false;

 private:
  struct Open {
    bool is_array;
    Json::Array items;
    Json::Object members;
  };

  bool put(Json value) {
    if (open_.empty())
      root = std::move(value);
    else if (open_.back().is_array)
      open_.back().items.push_back(std::move(value));
    else
      open_.back().members.emplace_back(std::move(keys_.back()), std::move(value));
    return true;
  }
  bool open(bool is_array) {
    open_.push_back({is_array, {}, {}});
    keys_.emplace_back();
    too_deep = open_.size() > kMaxDepth;
    return !too_deep;
  }
  bool close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    if (done.is_array) return put(Json(std::move(done.items)));
    std::vector<std::string_view> names;
    for (const auto& [name, value] : done.members) names.push_back(name);
    std::sort(names.begin(), names.end());
    const auto equal = std::adjacent_find(names.begin(), names.end());
    if (equal != names.end()) return twice = std::string(*equal), false;
    return put(Json(std::move(done.members)));
  }

  std::vector<Open> open_;
  std::vector<std::string> keys_;
};

}  // namespace

Json& Json::operator[](std::string_view key) {
  if (is_null()) value_ = Object();
  auto& members = std::get<Object>(value_);
  for (auto& [name, value] : members) {
    if (name == key) return value;
  }
  return members.emplace_back(std::string(key), Json()).second;
}

const Json& Json::at(std::string_view key) const {
  static const Json kNull;
  if (!is_object()) return kNull;
  for (const auto& [name, value] : members()) {
    if (name == key) return value;
  }
  return kNull;
}

const Json* Json::find(std::string_view dotted) const {
  const Json* here = this;
  for (std::string_view key : split(dotted, '.')) {
    if (!here->is_object()) return nullptr;
    const Json* next = nullptr;
    for (const auto& [name, value] : here->members()) {
      if (name == key) next = &value;
    }
    if (!next) return nullptr;
    here = next;
  }
  return here;
}

void Json::push_back(Json item) {
  if (is_null()) value_ = Array();
  std::get<Array>(value_).push_back(std::move(item));
}

double Json::number() const {
  if (const auto* integer = std::get_if<int64_t>(&value_)) return static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(&value_)) return *real;
  wrong_kind(*this, "a number");
}

int64_t Json::integer() const {
  if (const auto* integer = std::get_if<int64_t>(&value_)) return *integer;
  wrong_kind(*this, "an integer");
}

const std::string& Json::text() const {
  if (const auto* text = std::get_if<std::string>(&value_)) return *text;
  wrong_kind(*this, "a string");
}

bool Json::boolean() const {
  if (const auto* value = std::get_if<bool>(&value_)) return *value;
  wrong_kind(*this, "true or false");
}

std::string Json::dump() const {
  std::string out;
  std::visit(Dump{out}, value_);
  return out;
}

Json Json::parse(std::string_view text) {
  Reader reader;
  if (nlohmann::json::sax_parse(text.begin(), text.end(), &reader)) return std::move(reader.root);
  if (reader.twice)
    throw Error(ErrorKind::corrupt, concat("JSON: the key '", *reader.twice, "' stands twice"));
  if (reader.too_deep) throw Error(ErrorKind::corrupt, concat("JSON nested deeper than ", kMaxDepth));
  throw Error(ErrorKind::corrupt, concat("JSON: syntax error at byte ", reader.error_at.value_or(0)));
}

}  // namespace temper
