#pragma once
// A model on a data set: loss, accuracy, scores by class, confusion, a line per sample.
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "temper/error.h"
#include "train/events.h"

namespace temper {

struct ClassScore {
  std::string label;
  double precision = 0, recall = 0, f1 = 0;  // 0 where nothing was predicted or present
  std::optional<double> average_precision;   // several labels a sample
  int64_t samples = 0;                       // of this class in truth
};

struct Evaluation {
  std::string split;  // "test", "val", "all"
  int64_t samples = 0, skipped = 0;
  double loss = 0, accuracy = 0,
         top5 = 0;  // several labels a sample: accuracy is the share of samples all right
  std::optional<double> mean_average_precision;
  std::vector<ClassScore> classes;
  std::vector<std::vector<int64_t>> confusion;  // [truth][prediction]; empty for several labels a sample
  std::optional<double> agreement;              // share of samples where a reference model predicts the same
  double seconds = 0;
};

struct SampleLine {
  std::string file;               // or "train-images-idx3-ubyte#17"
  std::string truth, prediction;  // several labels joined by ';'
  double score = 0, loss = 0;     // score of the prediction
};

// Options of `temper eval`; the words and defaults are the command line's.
struct EvaluateOptions {
  std::string model, weights, shape, preprocess, labels;
  std::string data, val, test, split;  // split empty: test, else val, else all
  std::optional<double> val_split;
  std::string reference;  // a second model
  std::string on_bad_sample = "fail", device = "auto", precision = "f32", loss;
  std::string calibrate;  // data that int8 takes its ranges from
  int64_t batch = 32, seed = 0, threads = 0, memory = 0;
};

using EachSample = std::function<void(const SampleLine&)>;

// Errors of reading model and data; device if none answers. A stop signal ends it with stop_requested().
Evaluation evaluate(const EvaluateOptions& options, TrainEvents& events, const EachSample& each = {});

}  // namespace temper
