#pragma once
// Small text helpers: concat, join, split, number formatting that round-trips.
#include <charconv>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace temper {

namespace text_detail {
void append(std::string& out, double value);  // shortest form that reads back to the same double
void append(std::string& out, float value);
void append(std::string& out, std::string_view value);
inline void append(std::string& out, char value) { out += value; }
template <class Integer>
  requires std::is_integral_v<Integer>
void append(std::string& out, Integer value) {
  if constexpr (std::is_same_v<Integer, bool>) {  // here, so that no pointer becomes a bool
    out += value ? "true" : "false";
  } else {
    char buffer[24];
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
  }
}
}  // namespace text_detail

// concat("size ", 3, " of ", 4.5) == "size 3 of 4.5"
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::string out;
  (text_detail::append(out, parts), ...);
  return out;
}

// join({1, 2}, ", ") == "1, 2"
template <class Range>
std::string join(const Range& range, std::string_view separator) {
  std::string out;
  bool first = true;
  for (const auto& item : range) {
    if (!first) out += separator;
    first = false;
    text_detail::append(out, item);
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
bool starts_with(std::string_view text, std::string_view prefix);
bool ends_with(std::string_view text, std::string_view suffix);

// The whole of `text` as a number; false if it is anything else.
bool parse_number(std::string_view text, int64_t& value);
bool parse_number(std::string_view text, double& value);

// The candidate closest to `word` by edit distance, empty if none is near. For "did you mean".
std::string closest(std::string_view word, std::span<const std::string> candidates);

}  // namespace temper
