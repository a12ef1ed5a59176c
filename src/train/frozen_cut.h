#pragma once
// Where the frozen part is cut between the device that computes it and the one that trains.
#include <memory>
#include <string>
#include <vector>

#include "train/events.h"
#include "train/frozen_part.h"

namespace temper {

// A value that alone carries a sample on: what comes before it and after it are two models.
struct CutPoint {
  Value value;
  std::string name;  // of its node
};
// Of a prefix with one data input, in order; none is its input or its result.
std::vector<CutPoint> cut_points(const Model& prefix);

struct CutModels {
  Model beginning, end;  // the value is called "cut"
};
CutModels cut_at(const Model& prefix, Value value);

double work_of_sample(const Model& model);  // by nominal_work

struct CutRequest {
  Device& frozen;
  Device& trainer;
  const Model& prefix;
  int64_t batch;
  const CompileOptions& compile;
  double training_work;       // of a sample in a step of the trainer, by nominal_work
  int64_t samples;            // that the frozen part will see
  double worth_seconds = 20;  // what they must take on `frozen` for other cuts to be looked at
};

// The whole on `frozen`, unless a sample is through sooner if `trainer` computes the end: estimated for every
// cut from what the whole takes on both, transfers included; then the best one is measured. What was found is
// kept below TEMPER_CACHE. Says why in a note.
std::unique_ptr<FrozenPart> load_frozen_part(const CutRequest& request, TrainEvents& events);

}  // namespace temper
