#pragma once
// One reader per layout of a labelled set. Each gives all samples, with the classes that it found.
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace temper {

Dataset read_class_folders(const std::string& folder);  // folder/CLASS/.../picture
Dataset read_idx_pair(const std::string& images, const std::string& labels);
Dataset read_array_pair(const std::string& samples, const std::string& targets);     // .npy
Dataset read_table(const std::string& file, const std::optional<TargetKind>& kind);  // .csv

// Rows 0 .. count - 1, and labels from names: classes become the sorted set of them.
Dataset with_class_names(std::shared_ptr<const SampleSource> source, const std::vector<std::string>& names);
// Labels that are numbers from 0. Error invalid naming `file` if one is negative or over a million.
Dataset with_class_numbers(std::shared_ptr<const SampleSource> source, std::vector<int64_t> labels,
                           const std::string& file);

}  // namespace temper
