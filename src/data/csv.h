#pragma once
// Tables as text: one row a line, fields separated by commas, semicolons or tabs, quoted where needed (RFC
// 4180).
#include <string>
#include <string_view>
#include <vector>

#include "temper/error.h"

namespace temper {

class Csv {
 public:
  size_t rows() const { return lines_.size(); }  // without the header
  size_t columns() const { return names_.size(); }
  const std::string& name(size_t column) const { return names_[column]; }  // of the header, or "1", "2", ...
  bool has_header() const { return has_header_; }
  const std::string& at(size_t row, size_t column) const { return cells_[row * names_.size() + column]; }
  size_t line(size_t row) const { return lines_[row]; }  // in the file, from 1

  // The column of one of `names` (in any case), the first of them that there is; -1 if none.
  int find(std::initializer_list<std::string_view> names) const;

  double number(size_t row, size_t column) const;  // Error invalid naming line and column

  friend Csv parse_csv(std::string_view text);

 private:
  std::vector<std::string> names_, cells_;
  std::vector<size_t> lines_;
  bool has_header_ = false;
};

// The separator is the one that the first line has most of. The first line is a header if a field of it but
// the last is neither a number nor empty, or all are text and some below are numbers. Text may be compressed
// with gzip. Error invalid naming the line.
Csv parse_csv(std::string_view text);
Csv read_csv(const std::string& path);  // errors name the file

}  // namespace temper
