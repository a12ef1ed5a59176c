#pragma once
// Labels with scores for pictures.
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "place/shares.h"
#include "temper/error.h"
#include "train/events.h"

namespace temper {

struct Score {
  std::string label;  // the index as text if the model has no labels
  int64_t index = 0;
  double score = 0;  // a probability
};

struct Prediction {
  std::string file;
  std::vector<Score> top;      // falling scores
  std::optional<Error> error;  // the picture could not be read; the rest goes on
};

// Options of `temper predict`.
struct PredictOptions {
  std::string model, weights, shape, preprocess, labels;
  int64_t top = 5;       // at most
  double threshold = 0;  // least score shown
  std::string device = "auto", precision = "f32";
  std::string calibrate;  // data that int8 takes its ranges from
  int64_t batch = 32, threads = 0, memory = 0;
};

// A loaded and compiled model: from the cache of ready programs, else from its file; on several devices, if
// so many were named, which share out the batches by their speed. Not for several threads at once.
class Predictor {
 public:
  Predictor(const PredictOptions& options, TrainEvents& events);
  ~Predictor();
  // One per file, in order. Calls with few files are fine: programs are compiled per batch size and kept.
  // Error device names which of several failed.
  std::vector<Prediction> predict(std::span<const std::string> files);
  int64_t batch() const;  // how many files a call should bring
  void keep();            // puts what ran so far into the cache, for the next start

 private:
  struct Ready;
  struct Loaded;
  std::vector<std::unique_ptr<Loaded>> loaded_;  // by device
  std::unique_ptr<WorkShares> shares_;
};

// Pictures under a folder, sorted by bytes; a file is itself. Error not_found names what is absent.
std::vector<std::string> picture_files(const std::string& path);

}  // namespace temper
