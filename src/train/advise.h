#pragma once
// What a model's step takes on each device: measured or predicted where the device is, estimated where it is
// not.
#include "place/advice.h"
#include "place/prices.h"
#include "train/open_model.h"

namespace temper {

struct AdviseOptions {
  ModelSource model;
  std::string data;    // its samples are counted; empty: none
  std::string prices;  // a file over those that are known; empty: none
  std::string precision = "f32";
  bool trains = false;   // a training step of all parameters, else inference
  bool measures = true;  // else the cost model predicts, from a calibration that is measured once per machine
  bool refresh = false;  // calibrates anew
  int64_t batch = 32, sequence = 128, threads = 0, memory = 0;
  Goal goal = Goal::time;
};

struct Advice {
  std::vector<Candidate> candidates;  // those that are here, then those that are not
  Choice choice;
  Prices prices;
  int64_t samples = 0;      // of the data
  double pass_seconds = 0;  // over all of them, on the choice; 0: not known
};

// The choice of measured steps by time is remembered for `--device auto`.
Advice advise(const AdviseOptions& options, TrainEvents& events);

}  // namespace temper
