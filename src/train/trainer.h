#pragma once
// A whole tuning job: load, attach a head, train, validate, checkpoint, write the folder of the run.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "train/evaluate.h"
#include "train/events.h"
#include "train/recipe.h"

namespace temper {

struct Scores {
  double loss = 0, accuracy = 0;
};

// Where the time of a run went, in seconds; start: what the caller spent before it.
// overlapped: of the frozen part, on a device of its own, while others trained or evaluated.
struct RunSeconds {
  double total = 0, start = 0, load = 0, frozen = 0, train = 0, evaluate = 0, overlapped = 0;
};

struct TrainResult {
  enum Status { completed, stopped_early, interrupted } status = completed;
  std::string device, precision, frozen_precision;
  std::string frozen_device;  // that computed the frozen part; empty: there was none
  int64_t threads = 0, seed = 0, epochs = 0, best_epoch = 0;  // epochs done; 0: none was finished
  std::optional<Scores> train, val;                           // of the epoch that was kept
  std::optional<Evaluation> val_details, test;
  std::optional<Scores> val_exact;                       // with the frozen part in f32, if it ran in less
  int64_t parameters_total = 0, parameters_trained = 0;  // elements
  RunSeconds seconds;
  double samples_per_second = 0;  // trained samples by seconds in training
  int64_t peak_rss_bytes = 0;
  std::optional<double> energy_joules, joules_per_epoch, joules_per_sample;  // of this process
  std::string energy_source, energy_why;  // the counter; or why there is none
  std::optional<int64_t> resumed_from_step;
  std::map<std::string, std::string> files;  // "model" -> "runs/1/model.onnx"
  std::vector<EpochReport> history;
  int stop_signal = 0;  // SIGINT or SIGTERM if interrupted by one
};

// "cpu", or "cpu, the frozen part on opencl".
std::string devices_text(const TrainResult& result);

// What the precision of the frozen part did to the validation score, for people; the head learned from its
// features, the model that is written computes them in f32. Error invalid if they are further apart than
// recipe.max_drop.
std::string frozen_effect(const Recipe& recipe, const Scores& lower, const Scores& exact);

// Writes the folder `recipe.out` (default runs/1, runs/2, ...). Errors: invalid for the recipe, the data or a
// loss that is not finite (with step and learning rate); exhausted for a full disk, which leaves no partial
// file. After an interruption the folder holds last.ckpt and the result says interrupted.
// seconds_before: what the caller spent before the call, for the account of the run's time.
TrainResult train(const Recipe& recipe, TrainEvents& events, double seconds_before = 0);

}  // namespace temper
