#pragma once
// A model's scores of a data set, by one program or by several at once, one a device.
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "train/batches.h"
#include "train/evaluate.h"
#include "train/step.h"

namespace temper {

class EvalProgram {
 public:
  // averaged: parameters that are read from their moving average. The batches that come hold at most
  // `options.batch`.
  EvalProgram(DeviceState& state, const Model& model, const EvalOptions& options,
              const std::set<std::string>& averaged, const CompileOptions& compile);

  const Type& scores_type() const { return scores_type_; }
  std::string_view device() const { return device_; }
  int64_t batch() const { return labels_.shape().size(0); }

  // The current batch becomes the program's input.
  void take(Batches& batches, const Targets& targets);
  // What it says of that batch. The tensors may lie in the device's memory, until the next run.
  struct Answers {
    std::vector<int64_t> samples;
    Tensor scores, losses;
  };
  Answers run();

 private:
  std::string_view device_;
  std::unique_ptr<BoundProgram> program_;
  std::vector<int64_t> samples_;
  Tensor labels_;
  Type scores_type_;
};

using EachAnswer = std::function<void(int64_t sample, std::span<const float> scores, double loss)>;

// One pass from the start, in the order of `batches`; several programs share out the batches by their speed.
// Which of them a sample comes to depends on time: its scores are those of one of the devices. Reports
// progress as phase "evaluate"; a stop signal throws Interrupted. An error of one of several names its
// device.
Evaluation evaluate_batches(std::span<EvalProgram* const> programs, Batches& batches, const Targets& targets,
                            const std::vector<std::string>& labels, TrainEvents& events,
                            const EachAnswer& each = {});

}  // namespace temper
