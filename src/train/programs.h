#pragma once
// The programs of a run that trains: steps by batch size, over one state.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/step.h"

namespace temper {

// Sets parameters, zero slots, averages, sums and the random key of `model` in `state`.
void set_initial_state(DeviceState& state, const Model& model, const StepOptions& options, uint64_t seed);

// On how many replicas of a device a batch runs: all, or where that leaves a rest one.
int64_t replicas_for(const Device& device, int64_t batch);
// Tells the compiler what build_step or build_eval of one of `replicas` has a part of.
void share_out(const Graph& graph, int64_t replicas, CompileOptions& compile);

class StepPrograms {
 public:
  // sample_weights: by sample of the data set; empty: all 1. References must outlive this.
  StepPrograms(DeviceState& state, const Model& model, StepOptions options, const Targets& targets,
               std::vector<float> sample_weights, const CompileOptions& compile, int64_t memory = 0);
  ~StepPrograms();

  // The program for batches of `size`, compiled if it is not yet. Error exhausted if `memory` bytes for this
  // process, which leave compile.memory_limit to a program, are too few.
  const Executable& prepare(int64_t size, StepOptions::Part part);

  // One step on the current batch of `batches`; `update` counts updates from 1.
  void run(Batches& batches, int64_t size, StepOptions::Part part, double lr, int64_t update);

  // What has come together on the device since the last time; empties it. bad_step: the first update whose
  // loss was not finite, else infinite.
  struct Sums {
    double loss = 0, weight = 0, correct = 0, top5 = 0, bad_step = 0;
  };
  Sums take_sums();
  Sums look_at_sums() const;

  // Everything that a checkpoint must hold.
  const std::vector<std::string>& state_names() const { return state_names_; }

 private:
  struct Compiled;
  Compiled& program(int64_t size, StepOptions::Part part);

  DeviceState& state_;
  const Model& model_;
  StepOptions options_;
  const Targets& targets_;
  std::vector<float> sample_weights_;
  CompileOptions compile_;
  int64_t memory_;
  std::vector<std::string> state_names_;
  std::map<std::pair<int64_t, StepOptions::Part>, std::unique_ptr<Compiled>> programs_;
};

}  // namespace temper
