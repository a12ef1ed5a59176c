#include "data/csv.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>
#include <span>

#include "base/file.h"
#include "base/text.h"
#include "data/gzip.h"

namespace temper {
namespace {

struct Row {
  std::vector<std::string> fields;
  size_t line = 0;
};

// Rows one after another; a quoted field may hold separators, line ends and doubled quotes.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);  // a byte order mark
    const std::string_view first = text_.substr(0, text_.find('\n'));
    for (const char candidate : {',', ';', '\t'}) {
      if (std::count(first.begin(), first.end(), candidate) >
          std::count(first.begin(), first.end(), separator_)) {
        separator_ = candidate;
      }
    }
  }

  std::optional<Row> next() {
    while (at_ < text_.size()) {
      Row row{{}, line_};
      do row.fields.push_back(field());
      while (take(separator_));
      take('\r');
      if (take('\n')) ++line_;
      if (row.fields.size() > 1 || !row.fields[0].empty()) return row;  // empty lines are skipped
    }
    return std::nullopt;
  }

 private:
  bool take(char wanted) {
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  std::string field() {
    while (take(' ')) {
    }
    if (take('"')) return quoted();
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != separator_ && text_[at_] != '\n') ++at_;
    return std::string(trim(text_.substr(begin, at_ - begin)));
  }

  std::string quoted() {
    const size_t first_line = line_;
    std::string out;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"' && !take('"')) {
        while (take(' ')) {
        }
        if (at_ < text_.size() && text_[at_] != separator_ && text_[at_] != '\n' && text_[at_] != '\r') {
          throw Error(ErrorKind::invalid,
                      concat("line ", line_, ": text follows the closing quote of a field"));
        }
        return out;
      }
      line_ += c == '\n';
      out += c;
    }
    throw Error(ErrorKind::invalid,
                concat("line ", first_line, ": the quote that opens a field is never closed"));
  }

  std::string_view text_;
  size_t at_ = 0, line_ = 1;
  char separator_ = ',';
};

bool is_number(const std::string& field) {
  double ignored = 0;
  return parse_number(field, ignored);
}

bool looks_like_header(const std::vector<std::string>& first, const std::vector<std::string>& second) {
  const auto text = [](const std::string& field) { return !field.empty() && !is_number(field); };
  if (std::any_of(first.begin(), first.end() - 1, text)) {
    // Features that are text are refused later; here they only must not pass for a header.
    return std::none_of(first.begin(), first.end(), is_number);
  }
  return text(first.back()) && is_number(second.back());
}

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

int Csv::find(std::initializer_list<std::string_view> names) const {
  for (const std::string_view name : names) {
    for (size_t i = 0; i < names_.size(); ++i) {
      if (has_header_ && same_word(names_[i], name)) return static_cast<int>(i);
    }
  }
  return -1;
}

double Csv::number(size_t row, size_t column) const {
  double value = 0;
  if (!parse_number(at(row, column), value) || !std::isfinite(value)) {
    throw Error(ErrorKind::invalid,
                concat("line ", line(row), ", column '", name(column), "': expected a number, found '",
                       at(row, column).substr(0, 40), "'"));
  }
  return value;
}

Csv parse_csv(std::string_view text) {
  constexpr int64_t kMostExpanded = 1032;  // times; gzip reaches no more
  std::string unpacked;
  if (const auto bytes = std::as_bytes(std::span(text)); is_gzip(bytes)) {
    unpacked = gunzip(bytes, kMostExpanded * static_cast<int64_t>(bytes.size()));
    text = unpacked;
  }
  Reader reader(text);
  std::optional<Row> first = reader.next();
  if (!first) throw Error(ErrorKind::invalid, "an empty table, expected rows of fields separated by commas");
  std::optional<Row> second = reader.next();
  if (!second) throw Error(ErrorKind::invalid, "a table of one line, expected a header and rows");
  Csv csv;
  csv.has_header_ = looks_like_header(first->fields, second->fields);
  const size_t columns = first->fields.size();
  const auto add = [&](Row& row) {
    if (row.fields.size() != columns) {
      throw Error(ErrorKind::invalid, concat("line ", row.line, " has ", row.fields.size(),
                                             " fields, the first line has ", columns));
    }
    csv.lines_.push_back(row.line);
    std::move(row.fields.begin(), row.fields.end(), std::back_inserter(csv.cells_));
  };
  if (csv.has_header_) {
    csv.names_ = std::move(first->fields);
  } else {
    for (size_t i = 1; i <= columns; ++i) csv.names_.push_back(concat(i));
    add(*first);
  }
  for (std::optional<Row> row = std::move(second); row; row = reader.next()) add(*row);
  return csv;
}

Csv read_csv(const std::string& path) {
  const MappedFile file(path);
  try {
    return parse_csv(file.text());
  } catch (const Error& error) {
    throw Error(error.kind(), concat(path, ": ", error.what())).in_file(path);
  }
}

}  // namespace temper
