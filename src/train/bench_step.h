#pragma once
// A training step of a model on random data: what `bench --train` measures and `inspect --train` shows.
#include <memory>
#include <string>
#include <vector>

#include "model/model.h"
#include "runtime/device.h"

namespace temper {

struct BenchStep {
  int64_t batch = 32, sequence = 128;  // sequence: tokens of a sample, where the model leaves them free
  std::string optimizer = "sgd";       // sgd has momentum 0.9, adamw weight decay 0.01
  double lr = 0;                       // 0: 1e-2 for sgd, else 1e-3
  double clip_norm = 0, ema = 0;       // as StepOptions
  bool update_only = false;            // build_update, with random gradients
  uint64_t seed = 0;
  DType precision = DType::f32;
  int64_t replicas = 1;  // the part of one of them; divides `batch`
};

// Everything trains; cross-entropy over the last axis of the first output. Static, after all passes of a
// step.
Graph bench_step_graph(const Model& model, const BenchStep& options);

// Owns the state on the device. Not for several threads at once.
class StepBench {
 public:
  StepBench(Device& device, const Model& model, const BenchStep& options, const CompileOptions& compile);
  ~StepBench();

  void run();             // one step on the same batch
  int64_t flops() const;  // of one step
  int64_t steps() const;  // run so far
  double loss_first() const;
  double loss_last();          // mean loss over the batch, of the last step; 0 if it has none
  int64_t parameters() const;  // numbers that train
  const Executable& executable() const;
  Context& context();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace temper
