#pragma once
// Text for terminals: aligned tables and bars.
#include <string>
#include <string_view>
#include <vector>

namespace temper {

// Columns as wide as their widest cell (counted in UTF-8 characters), two spaces apart. Columns whose cells
// are all numbers are aligned at the right. The header is underlined.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : header_(std::move(header)) {}
  void row(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

// share in [0, 1] as `width` characters: "█████▌░░░"
std::string bar(double share, int width);

int display_width(std::string_view text);  // characters, not bytes

std::string byte_text(int64_t bytes);       // "13.4 MB"
std::string percent_text(double share);     // "81.7 %"
std::string count_text(int64_t count);      // "2,257,984"
std::string duration_text(double seconds);  // "0.4 ms", "850 ms", "12.3 s", "3 min 20 s"

}  // namespace temper
