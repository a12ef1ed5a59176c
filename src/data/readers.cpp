#include "data/readers.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/check.h"
#include "base/text.h"
#include "data/csv.h"
#include "data/decode.h"
#include "data/idx.h"
#include "data/npy.h"
#include "data/sources.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostClasses = 1'000'000;

[[noreturn]] void invalid(const std::string& file, std::string_view what) {
  throw Error(ErrorKind::invalid, concat(file, ": ", what)).in_file(file);
}

bool is_hidden(const fs::path& path) { return path.filename().native().starts_with('.'); }

// Runs a walk over folders, whose errors become ours.
template <class Walk>
void walk(const std::string& folder, Walk&& each) {
  try {
    each();
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::invalid, concat("cannot read folder ", folder, ": ", error.code().message()))
        .in_file(folder);
  }
}

std::vector<std::string> pictures_below(const std::string& folder) {
  std::vector<std::string> files;
  walk(folder, [&] {
    const auto options = fs::directory_options::follow_directory_symlink;
    for (auto entry = fs::recursive_directory_iterator(folder, options); entry != fs::end(entry); ++entry) {
      if (is_hidden(entry->path())) {
        entry.disable_recursion_pending();
      } else if (is_picture_name(entry->path().native()) && !entry->is_directory()) {
        files.push_back(entry->path().native());
      }
    }
  });
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> class_names_in(const std::string& folder) {
  std::vector<std::string> names;
  walk(folder, [&] {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.is_directory() && !is_hidden(entry.path())) names.push_back(entry.path().filename().native());
    }
  });
  std::sort(names.begin(), names.end());
  return names;
}

void check_counts(const std::string& samples, int64_t sample_count, const std::string& labels,
                  int64_t label_count) {
  if (sample_count == label_count) return;
  throw Error(ErrorKind::invalid, concat(samples, " holds ", sample_count, " samples, ", labels, " holds ",
                                         label_count, " labels"))
      .in_file(labels);
}

std::vector<int64_t> all_rows(int64_t count) {
  std::vector<int64_t> rows(static_cast<size_t>(count));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
  return rows;
}

Dataset with_several(std::shared_ptr<const SampleSource> source, const std::vector<std::string>& joined) {
  std::set<std::string> found;
  std::vector<std::vector<std::string>> parts;
  for (const std::string& text : joined) {
    parts.emplace_back();
    for (const std::string_view part : split(text, ';')) {
      if (!trim(part).empty()) parts.back().emplace_back(trim(part));
    }
    found.insert(parts.back().begin(), parts.back().end());
  }
  Dataset data{.source = std::move(source), .kind = TargetKind::several};
  data.rows = all_rows(data.source->size());
  data.classes.assign(found.begin(), found.end());
  data.target_width = static_cast<int64_t>(data.classes.size());
  data.targets.resize(parts.size() * data.classes.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    for (const std::string& name : parts[i]) {
      const auto at = std::lower_bound(data.classes.begin(), data.classes.end(), name) - data.classes.begin();
      data.targets[i * data.classes.size() + static_cast<size_t>(at)] = 1;
    }
  }
  return data;
}

Dataset with_numbers(std::shared_ptr<const SampleSource> source, std::vector<float> targets, int64_t width) {
  Dataset data{.source = std::move(source), .kind = TargetKind::numbers};
  data.rows = all_rows(data.source->size());
  data.targets = std::move(targets);
  data.target_width = width;
  return data;
}

// What the labels of a column are, if nobody says.
TargetKind kind_of(const Csv& csv, size_t column, const std::string& name) {
  bool numbers = true, fractions = false;
  for (size_t row = 0; row < csv.rows(); ++row) {
    const std::string& text = csv.at(row, column);
    if (text.find(';') != std::string::npos) return TargetKind::several;
    double value = 0;
    int64_t whole = 0;
    numbers = numbers && parse_number(text, value);
    fractions = fractions || !parse_number(text, whole);
  }
  if (name == "labels") return TargetKind::several;
  return numbers && fractions ? TargetKind::numbers : TargetKind::classes;
}

Dataset with_column(std::shared_ptr<const SampleSource> source, const Csv& csv, size_t column,
                    const std::optional<TargetKind>& wanted) {
  const TargetKind kind = wanted.value_or(kind_of(csv, column, csv.name(column)));
  if (kind == TargetKind::numbers) {
    std::vector<float> targets;
    for (size_t row = 0; row < csv.rows(); ++row)
      targets.push_back(static_cast<float>(csv.number(row, column)));
    return with_numbers(std::move(source), std::move(targets), 1);
  }
  std::vector<std::string> names;
  for (size_t row = 0; row < csv.rows(); ++row) {
    names.push_back(csv.at(row, column));
    if (kind == TargetKind::classes && names.back().empty()) {
      throw Error(ErrorKind::invalid,
                  concat("line ", csv.line(row), ", column '", csv.name(column), "': no label"));
    }
  }
  return kind == TargetKind::several ? with_several(std::move(source), names)
                                     : with_class_names(std::move(source), names);
}

Dataset read_table_rows(const std::string& file, const Csv& csv, const std::optional<TargetKind>& kind) {
  const int file_column = csv.find({"file", "filename", "path", "image"});
  const int named = csv.find({"label", "labels", "class", "target"});
  const size_t label_column = named >= 0 ? static_cast<size_t>(named) : csv.columns() - 1;
  if (csv.columns() < 2) {
    throw Error(ErrorKind::invalid,
                "a table of one column, expected features and a label, or file and label");
  }
  if (file_column >= 0) {
    std::vector<std::string> files;
    const fs::path folder = fs::path(file).parent_path();
    for (size_t row = 0; row < csv.rows(); ++row) {
      files.push_back((folder / csv.at(row, static_cast<size_t>(file_column))).native());
    }
    return with_column(std::make_shared<PictureFiles>(std::move(files)), csv, label_column, kind);
  }
  const auto features = static_cast<int64_t>(csv.columns()) - 1;
  Tensor values(Type{DType::f32, {static_cast<int64_t>(csv.rows()), features}});
  float* to = values.mutable_values<float>().data();
  for (size_t row = 0; row < csv.rows(); ++row) {
    for (size_t column = 0; column < csv.columns(); ++column) {
      if (column != label_column) *to++ = static_cast<float>(csv.number(row, column));
    }
  }
  return with_column(source_of(file, std::move(values)), csv, label_column, kind);
}

}  // namespace

Dataset with_class_names(std::shared_ptr<const SampleSource> source, const std::vector<std::string>& names) {
  Dataset data{.source = std::move(source)};
  data.rows = all_rows(data.source->size());
  const std::set<std::string> found(names.begin(), names.end());
  data.classes.assign(found.begin(), found.end());
  std::map<std::string_view, int64_t> index;
  for (const std::string& name : data.classes) index.emplace(name, static_cast<int64_t>(index.size()));
  for (const std::string& name : names) data.labels.push_back(index.at(name));
  return data;
}

Dataset with_class_numbers(std::shared_ptr<const SampleSource> source, std::vector<int64_t> labels,
                           const std::string& file) {
  Dataset data{.source = std::move(source), .numbered = true};
  data.rows = all_rows(data.source->size());
  int64_t classes = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= kMostClasses) {
      invalid(file, concat("label ", i, " is ", labels[i], "; expected classes from 0"));
    }
    classes = std::max(classes, labels[i] + 1);
  }
  for (int64_t i = 0; i < classes; ++i) data.classes.push_back(concat(i));
  data.labels = std::move(labels);
  return data;
}

Dataset read_class_folders(const std::string& folder) {
  std::vector<std::string> files, labels;
  const std::vector<std::string> classes = class_names_in(folder);
  if (classes.empty()) {
    const bool loose = !pictures_below(folder).empty();
    invalid(folder, concat(loose ? "holds pictures but no class folders" : "holds no class folders",
                           "; expected a folder per class, with pictures inside"));
  }
  for (const std::string& name : classes) {
    const std::string path = (fs::path(folder) / name).native();
    const std::vector<std::string> pictures = pictures_below(path);
    if (pictures.empty()) invalid(path, "a class folder without pictures (.jpg .jpeg .png .webp .bmp)");
    files.insert(files.end(), pictures.begin(), pictures.end());
    labels.resize(files.size(), name);
  }
  return with_class_names(std::make_shared<PictureFiles>(std::move(files)), labels);
}

Dataset read_idx_pair(const std::string& images, const std::string& labels) {
  Tensor pixels = read_idx(images);
  const Tensor numbers = read_idx(labels);
  if (numbers.shape().rank() != 1 || is_float(numbers.dtype())) {
    invalid(labels, concat("expected labels along one axis, found ", to_string(numbers.type())));
  }
  auto source = source_of(images, std::move(pixels));
  check_counts(images, source->size(), labels, numbers.elements());
  return with_class_numbers(std::move(source), to_int64s(numbers), labels);
}

Dataset read_array_pair(const std::string& samples, const std::string& targets) {
  auto source = source_of(samples, read_npy(samples));
  const Tensor wanted = read_npy(targets);
  if (wanted.shape().rank() < 1 || wanted.shape().rank() > 2) {
    invalid(targets, concat("expected targets of one or two axes, found ", to_string(wanted.type())));
  }
  check_counts(samples, source->size(), targets, wanted.shape().size(0));
  if (wanted.shape().rank() == 1 && !is_float(wanted.dtype())) {
    return with_class_numbers(std::move(source), to_int64s(wanted), targets);
  }
  const std::vector<double> values = to_doubles(wanted);
  const int64_t width = wanted.shape().rank() == 2 ? wanted.shape().size(1) : 1;
  Dataset data = with_numbers(std::move(source), std::vector<float>(values.begin(), values.end()), width);
  if (wanted.dtype() == DType::boolean && width > 1) {
    data.kind = TargetKind::several;
    data.numbered = true;
    for (int64_t i = 0; i < width; ++i) data.classes.push_back(concat(i));
  }
  return data;
}

Dataset read_table(const std::string& file, const std::optional<TargetKind>& kind) {
  const Csv csv = read_csv(file);
  try {
    return read_table_rows(file, csv, kind);
  } catch (const Error& error) {
    if (error.file() == file) throw;
    invalid(file, error.what());
  }
}

}  // namespace temper
