#pragma once
// The training step and the evaluation of a model, each one static Graph.
#include <set>
#include <string>
#include <vector>

#include "ir/builder.h"
#include "model/model.h"
#include "nn/losses.h"
#include "nn/optimizers.h"

namespace temper {

// Ports of a step: (state, key, batch, hyper) -> (state', key', stats).
//   state, donated to the output of the same name:
//     param.NAME         trainable parameters and running statistics; other parameters are plain inputs
//     slot.NAME.m        the optimizer's, of the parameter's type
//     ema.NAME           moving average, with `ema`
//     gradient.NAME, gradient_weight   sums so far, with `accumulate`
//     key                u32[2], if something draws random numbers
//     stat.loss, stat.weight   sums of weighted losses and of weights, f32
//     stat.correct, stat.top5  counts of samples, f32
//     stat.bad_step            least hyper.step whose loss was not finite; starts infinite
//   batch: input.NAME of the model, labels (see nn/losses.h), weights f32[n]
//   replica: u64[1], with several replicas that drop: the number of this one
//   hyper: f32 scalars: hyper.step, then those of the optimizer (hyper.lr, ...)
struct StepOptions {
  int64_t batch = 32;
  std::set<std::string> trainable;
  nn::Loss loss;
  nn::Optimizer optimizer;  // its weight decay spares norms and biases, and so does l1
  double l1 = 0;
  double clip_norm = 0;          // of the whole gradient; 0: any
  double ema = 0;                // share of the old average kept; 0: none
  DType precision = DType::f32;  // bf16: see lower_precision; the state stays f32
  // One update from several batches: `gather` only adds to the sums, `finish` adds, updates and clears them.
  enum Part { whole, gather, finish } part = whole;
  // The step of one of several replicas, each of which has its part of the batch; gradients and sums are
  // added up over all. Divides `batch`.
  int64_t replicas = 1;
  bool sync_norm = false;  // see nn::Replicas
};
Graph build_step(const Model& model, const StepOptions& options);

// The update alone, of all that trains: gradients are inputs, gradient.NAME. The other ports are those that a
// whole step has for it.
Graph build_update(const Model& model, const StepOptions& options);

// param.NAME, input.NAME [, labels] -> scores f32 [n, ...] [, loss f32 [n]]. Scores are probabilities where
// the model or the loss says what they are, else the model's own output.
struct EvalOptions {
  int64_t batch = 32;
  nn::Loss loss;
  bool with_loss = true;
  int64_t replicas = 1;  // the part of one of them; divides `batch`
  DType precision = DType::f32;
};
Graph build_eval(const Model& model, const EvalOptions& options);

// The model with its one batch symbol (axis 0 of every data input) made `batch`. Error invalid names the
// input whose batch is another number, or the symbol that is still free.
Graph with_batch(const Model& model, int64_t batch);
SymbolSizes batch_sizes(const Model& model, int64_t batch);  // the symbol, with the same errors

// A model's output, before a final softmax, log_softmax or sigmoid that the loss undoes; [n, classes, 1, ...]
// becomes [n, classes].
struct Output {
  Value value;
  nn::OutputForm form = nn::OutputForm::logits;
};
Output loss_output(Builder& b, Value output, const nn::Loss& loss);

// Names of the inputs and outputs of a step or an evaluation whose axis 0 is shared out among replicas.
std::vector<std::string> shared_names(const Graph& graph);

// Names of the state of a graph: inputs donated to outputs.
std::vector<std::string> state_names(const Graph& graph);

}  // namespace temper
