#include "report/table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>

#include "base/text.h"

namespace temper {

int display_width(std::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

void TextTable::row(std::vector<std::string> cells) {
  cells.resize(header_.size());
  rows_.push_back(std::move(cells));
}

static bool looks_numeric(std::string_view cell) {
  return cell.empty() || cell == "-" || cell.find_first_of("0123456789") == 0 ||
         (cell[0] == '-' && cell.size() > 1 && cell.find_first_of("0123456789") == 1);
}

static std::string padded(const std::string& cell, int width, bool right) {
  const std::string space(static_cast<size_t>(std::max(0, width - display_width(cell))), ' ');
  return right ? space + cell : cell + space;
}

std::string TextTable::text() const {
  std::vector<int> widths;
  std::vector<bool> right;
  for (size_t c = 0; c < header_.size(); ++c) {
    int width = display_width(header_[c]);
    for (const auto& row : rows_) width = std::max(width, display_width(row[c]));
    widths.push_back(width);
    right.push_back(!rows_.empty() && std::all_of(rows_.begin(), rows_.end(),
                                                  [&](const auto& row) { return looks_numeric(row[c]); }));
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string out;
    for (size_t c = 0; c < cells.size(); ++c) out += (c ? "  " : "") + padded(cells[c], widths[c], right[c]);
    return out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
  };
  std::string out = line(header_);
  std::vector<std::string> rule;
  for (int width : widths) {
    std::string& dashes = rule.emplace_back();
    for (int i = 0; i < width; ++i) dashes += "─";
  }
  out += line(rule);
  for (const auto& row : rows_) out += line(row);
  return out;
}

std::string bar(double share, int width) {
  static constexpr std::array<std::string_view, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double clamped = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0;
  const int eighths = static_cast<int>(std::lround(clamped * width * 8));
  std::string out;
  int used = 0;
  for (; used < eighths / 8; ++used) out += "█";
  if (eighths % 8) out += kEighths[static_cast<size_t>(eighths % 8)], ++used;
  for (; used < width; ++used) out += "░";
  return out;
}

static std::string formatted(const char* format, double value) {
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

std::string byte_text(int64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) value /= 1000, ++unit;
  return concat(formatted(unit == 0 ? "%.0f" : value < 10 ? "%.2f" : "%.1f", value), " ", kUnits[unit]);
}

std::string percent_text(double share) {
  return std::isfinite(share) ? formatted("%.1f %%", share * 100) : "-";
}

std::string count_text(int64_t count) {
  std::string digits = concat(count);
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > (count < 0 ? 1 : 0); at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

std::string duration_text(double seconds) {
  if (seconds < 0.01) return formatted("%.1f ms", seconds * 1000);
  if (seconds < 1) return formatted("%.0f ms", seconds * 1000);
  if (seconds < 100) return formatted("%.1f s", seconds);
  const auto whole = static_cast<int64_t>(std::lround(seconds));
  return concat(whole / 60, " min ", whole % 60, " s");
}

}  // namespace temper
