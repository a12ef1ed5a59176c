#pragma once
// Everything a run needs to go on, in one file.
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "nn/schedules.h"
#include "temper/tensor.h"
#include "train/events.h"

namespace temper {

// Sums over the part of an epoch that is done.
struct EpochSums {
  double loss = 0, weight = 0, correct = 0, top5 = 0;
  int64_t samples = 0;
  double seconds = 0;
};

// Where a run stands, apart from the state on the device.
struct RunProgress {
  int64_t epoch = 0;    // being trained, from 0
  int64_t sample = 0;   // in the epoch's order, the next batch's first
  int64_t step = 0;     // optimizer updates done
  int64_t batches = 0;  // of the epoch, done
  EpochSums sums;
  nn::Plateau plateau;
  double best =
      std::numeric_limits<double>::infinity();  // of the monitored value, signed so that less is better
  int64_t best_epoch = 0;                       // from 1; 0: none yet
  int64_t waited = 0;                           // epochs since the best
  double seconds = 0;                           // of training, all sittings together
  bool finished = false;
  std::vector<EpochReport> history;
};

struct Checkpoint {
  std::map<std::string, Tensor> state;  // on the host
  RunProgress progress;
};
void write_checkpoint(const std::string& path, const Checkpoint& checkpoint);  // complete or not at all
Checkpoint read_checkpoint(const std::string& path);  // Error corrupt names the file and what is missing

}  // namespace temper
