#include "data/dataset.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/check.h"
#include "base/text.h"
#include "data/csv.h"
#include "data/layout.h"
#include "data/order.h"
#include "data/readers.h"

namespace temper {
namespace {

Dataset read_part(const Part& part, const DataOptions& options) {
  switch (part.kind) {
    case Part::folder:
      return read_class_folders(part.samples);
    case Part::idx:
      return read_idx_pair(part.samples, part.labels);
    case Part::table:
      return read_table(part.samples, options.kind);
    case Part::arrays:
      return read_array_pair(part.samples, part.labels);
  }
  TEMPER_CHECK(false);
}

// Gives `data` the classes `to`, which contain its own. index: of each old class in `to`.
void rename_classes(Dataset& data, const std::vector<std::string>& to, const std::vector<int64_t>& index) {
  for (int64_t& label : data.labels) label = index[static_cast<size_t>(label)];
  if (data.kind == TargetKind::several) {
    const size_t before = data.classes.size(), after = to.size();
    std::vector<float> targets(data.rows.size() * after);
    for (size_t i = 0; i < data.rows.size(); ++i) {
      for (size_t c = 0; c < before; ++c) {
        targets[i * after + static_cast<size_t>(index[c])] = data.targets[i * before + c];
      }
    }
    data.targets = std::move(targets);
    data.target_width = static_cast<int64_t>(after);
  }
  data.classes = to;
}

// Where each class of `data` stands in `names`; unknown ones are added to `unknown`.
std::vector<int64_t> positions(const Dataset& data, const std::vector<std::string>& names,
                               std::set<std::string>& unknown) {
  std::map<std::string_view, int64_t> known;
  for (size_t i = 0; i < names.size(); ++i) known.emplace(names[i], static_cast<int64_t>(i));
  std::vector<int64_t> index;
  for (const std::string& name : data.classes) {
    const auto found = known.find(name);
    index.push_back(found == known.end() ? -1 : found->second);
    if (found == known.end()) unknown.insert(name);
  }
  return index;
}

std::string quoted(const std::set<std::string>& names) {
  std::vector<std::string> some;
  for (const std::string& name : names) {
    if (some.size() == 5) break;
    some.push_back("'" + name + "'");
  }
  return concat(join(some, ", "),
                names.size() > some.size() ? concat(" and ", names.size() - some.size(), " more") : "");
}

std::vector<Dataset*> sets_of(DataSplits& splits) {
  std::vector<Dataset*> sets;
  for (std::optional<Dataset>* set : {&splits.train, &splits.val, &splits.test}) {
    if (*set) sets.push_back(&**set);
  }
  return sets;
}

// All sets get the classes of train, or of all together where there is no train.
void share_classes(DataSplits& splits, const std::string& data) {
  const std::vector<Dataset*> sets = sets_of(splits);
  for (const Dataset* set : sets) {
    if (set->kind != sets[0]->kind)
      throw Error(ErrorKind::invalid, concat(data, ": the labels of its sets differ in kind"));
    if (set->kind == TargetKind::numbers && set->target_width != sets[0]->target_width) {
      throw Error(ErrorKind::invalid, concat(data, ": its sets have ", sets[0]->target_width, " and ",
                                             set->target_width, " targets"));
    }
  }
  if (sets[0]->kind == TargetKind::numbers) return;
  const bool numbered =
      std::all_of(sets.begin(), sets.end(), [](const Dataset* set) { return set->numbered; });
  std::vector<std::string> classes;
  if (numbered) {  // the longest list holds the others
    for (const Dataset* set : sets) {
      if (set->classes.size() > classes.size()) classes = set->classes;
    }
  } else if (splits.train) {
    classes = splits.train->classes;
  } else {
    std::set<std::string> all;
    for (const Dataset* set : sets) all.insert(set->classes.begin(), set->classes.end());
    classes.assign(all.begin(), all.end());
  }
  for (Dataset* set : sets) {
    std::set<std::string> unknown;
    const std::vector<int64_t> index = positions(*set, classes, unknown);
    if (!unknown.empty()) {
      throw Error(ErrorKind::invalid,
                  concat(data, ": a set has classes that the training set lacks: ", quoted(unknown)));
    }
    rename_classes(*set, classes, index);
  }
}

Dataset subset(const Dataset& data, const std::vector<int64_t>& samples) {
  Dataset part = data;
  part.rows.clear(), part.labels.clear(), part.targets.clear();
  for (const int64_t sample : samples) {
    const auto i = static_cast<size_t>(sample);
    part.rows.push_back(data.rows[i]);
    if (data.kind == TargetKind::classes) {
      part.labels.push_back(data.labels[i]);
    } else {
      const auto from = data.targets.begin() + sample * data.target_width;
      part.targets.insert(part.targets.end(), from, from + data.target_width);
    }
  }
  return part;
}

// Moves `share` of each class of train, but never all of one, to val.
void split_train(DataSplits& splits, double share, uint64_t seed) {
  const Dataset& all = *splits.train;
  std::map<int64_t, std::vector<int64_t>> groups;
  for (int64_t i = 0; i < all.size(); ++i) {
    groups[all.kind == TargetKind::classes ? all.labels[static_cast<size_t>(i)] : 0].push_back(i);
  }
  std::vector<int64_t> train, val;
  for (const auto& [label, samples] : groups) {
    const auto count = static_cast<int64_t>(samples.size());
    int64_t taken =
        std::min(count - 1, static_cast<int64_t>(std::llround(static_cast<double>(count) * share)));
    if (taken == 0 && count > 1) taken = 1;
    for (const int64_t i : shuffled(count, ~seed, label)) {
      (taken-- > 0 ? val : train).push_back(samples[static_cast<size_t>(i)]);
    }
  }
  std::sort(train.begin(), train.end());
  std::sort(val.begin(), val.end());
  if (val.empty()) return;
  splits.val = subset(all, val);
  splits.train = subset(all, train);
  splits.split_by_us = true;
}

void check_trainable(const DataSplits& splits, const DataOptions& options) {
  if (!splits.train) {
    throw Error(ErrorKind::invalid,
                concat(options.data, ": no training set; expected ", options.data, "/train"))
        .in_file(options.data);
  }
  if (splits.train->kind == TargetKind::classes && splits.train->classes.size() < 2) {
    throw Error(ErrorKind::invalid, concat(options.data, ": there is one class, '", splits.train->classes[0],
                                           "'; training takes at least two"))
        .in_file(options.data);
  }
}

}  // namespace

DataSplits open_data(const DataOptions& options) {
  if (options.val_split && !(*options.val_split >= 0 && *options.val_split < 1)) {
    throw Error(ErrorKind::invalid,
                concat("--val-split: expected a share from 0 to below 1, found ", *options.val_split));
  }
  Layout layout = layout_of(options.data);
  if (!options.val.empty()) layout.val = single_part(options.val);
  if (!options.test.empty()) layout.test = single_part(options.test);
  DataSplits splits;
  if (layout.train) splits.train = read_part(*layout.train, options);
  if (layout.val) splits.val = read_part(*layout.val, options);
  if (layout.test) splits.test = read_part(*layout.test, options);
  if (options.split) check_trainable(splits, options);
  share_classes(splits, options.data);
  const double share = options.val_split.value_or(layout.val_split);
  if (options.split && !splits.val && share > 0) split_train(splits, share, options.seed);
  return splits;
}

void use_labels(DataSplits& splits, const std::vector<std::string>& labels) {
  for (Dataset* set : sets_of(splits)) {
    if (set->kind == TargetKind::numbers) continue;
    std::set<std::string> unknown;
    std::vector<int64_t> index = positions(*set, labels, unknown);
    if (unknown.size() == set->classes.size() && set->numbered && set->classes.size() <= labels.size()) {
      for (size_t i = 0; i < index.size(); ++i)
        index[i] = static_cast<int64_t>(i);  // numbers are the model's own
    } else if (!unknown.empty()) {
      throw Error(ErrorKind::invalid,
                  concat("the data have classes that the model does not know: ", quoted(unknown),
                         "; its labels are ", quoted({labels.begin(), labels.end()})));
    }
    rename_classes(*set, labels, index);
  }
}

std::vector<int64_t> class_counts(const Dataset& dataset) {
  std::vector<int64_t> counts(dataset.classes.size());
  for (const int64_t label : dataset.labels) ++counts[static_cast<size_t>(label)];
  for (size_t i = 0; dataset.kind == TargetKind::several && i < dataset.targets.size(); ++i) {
    counts[i % counts.size()] += dataset.targets[i] != 0;
  }
  return counts;
}

std::vector<float> class_weights(const Dataset& dataset, const std::string& option) {
  if (dataset.kind != TargetKind::classes) {
    throw Error(ErrorKind::invalid,
                "--class-weights: expected one class per sample, found several labels or numbers");
  }
  std::vector<float> weights(dataset.classes.size(), 1);
  if (option == "auto") {
    const std::vector<int64_t> counts = class_counts(dataset);
    const auto present =
        static_cast<double>(std::count_if(counts.begin(), counts.end(), [](int64_t n) { return n > 0; }));
    for (size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] > 0)
        weights[i] = static_cast<float>(static_cast<double>(dataset.size()) /
                                        (present * static_cast<double>(counts[i])));
    }
    return weights;
  }
  const Csv csv = read_csv(option);
  if (csv.columns() != 2)
    throw Error(ErrorKind::invalid, concat(option, ": expected lines of CLASS,WEIGHT")).in_file(option);
  for (size_t row = 0; row < csv.rows(); ++row) {
    const auto found = std::find(dataset.classes.begin(), dataset.classes.end(), csv.at(row, 0));
    if (found == dataset.classes.end()) {
      throw Error(ErrorKind::invalid,
                  concat(option, ": line ", csv.line(row), ": the data have no class '", csv.at(row, 0), "'"))
          .in_file(option);
    }
    const double weight = csv.number(row, 1);
    if (weight < 0)
      throw Error(ErrorKind::invalid, concat(option, ": line ", csv.line(row), ": a weight below 0"))
          .in_file(option);
    weights[static_cast<size_t>(found - dataset.classes.begin())] = static_cast<float>(weight);
  }
  return weights;
}

}  // namespace temper
