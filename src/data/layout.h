#pragma once
// What a path given as --data holds, by the names of its files and folders.
#include <optional>
#include <string>

namespace temper {

// One labelled set.
struct Part {
  enum Kind { folder, idx, table, arrays } kind;
  std::string samples, labels;  // labels: of idx and arrays
};

struct Layout {
  std::optional<Part> train, val, test;
  double val_split = 0;  // if nobody says
};

Layout layout_of(const std::string& path);  // Error not_found or unsupported naming the path

// The one set at a path that was named as a further set. Error invalid if there are several.
Part single_part(const std::string& path);

}  // namespace temper
