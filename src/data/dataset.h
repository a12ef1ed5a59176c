#pragma once
// Labelled samples: class folders, IDX, CSV, .npy.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/image.h"
#include "temper/shape.h"

namespace temper {

// What is read, without its labels. Thread-safe: samples are read by many threads at once.
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  virtual int64_t size() const = 0;
  virtual std::string name(int64_t row) const = 0;  // a file, or "train-images-idx3-ubyte#17"

  virtual bool has_pictures() const = 0;
  // If it has pictures; channels and min_short_side as in DecodeOptions. Errors name the file.
  virtual Image picture(int64_t row, int channels, int min_short_side) const;
  virtual int picture_channels() const { return 3; }  // what the files themselves hold

  // If it has values. The shape of one sample; `out` has that many elements.
  virtual Shape value_shape() const;
  virtual void values(int64_t row, std::span<float> out) const;
};

enum class TargetKind {
  classes,  // one of several
  several,  // any number of several
  numbers,  // to be predicted as they are
};

struct Dataset {
  std::shared_ptr<const SampleSource> source;
  std::vector<int64_t> rows;  // of `source`; sample i is rows[i]
  TargetKind kind = TargetKind::classes;
  std::vector<int64_t> labels;       // kind classes: [samples] indices into `classes`
  std::vector<float> targets;        // else: [samples, width]; several: 0 or 1
  int64_t target_width = 0;          // classes.size() if several
  std::vector<std::string> classes;  // names, sorted by bytes; empty for numbers
  bool numbered = false;             // the labels were numbers: classes are "0", "1", ... in that order

  int64_t size() const { return static_cast<int64_t>(rows.size()); }
  std::string name(int64_t sample) const { return source->name(rows[static_cast<size_t>(sample)]); }
};

struct DataSplits {
  std::optional<Dataset> train, val, test;  // all with the same classes
  bool split_by_us = false;                 // val was taken from train
};

struct DataOptions {
  std::string data;       // --data: a folder or a file
  std::string val, test;  // further sets; empty: what `data` holds
  std::optional<double>
      val_split;  // share of train, per class; default 0.1 for an unsplit folder or CSV, 0 for IDX and .npy
  uint64_t seed = 0;  // of that split
  bool split = true;  // false: all of an unsplit set is `train`, which may be absent or hold one class (eval)
  std::optional<TargetKind> kind;  // of a table; unset: by its labels
};

// Error not_found, invalid or corrupt naming the file or folder: none or one class, no pictures, labels that
// do not match, ...
DataSplits open_data(const DataOptions& options);

// Makes the classes those of a model, in its order. Error invalid names classes that the model does not know.
void use_labels(DataSplits& splits, const std::vector<std::string>& labels);

// How many samples each class has.
std::vector<int64_t> class_counts(const Dataset& dataset);

// --class-weights: "auto" (samples / (classes * samples of the class)), or a file with lines CLASS,WEIGHT.
std::vector<float> class_weights(const Dataset& dataset, const std::string& option);

}  // namespace temper
