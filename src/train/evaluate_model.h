#pragma once
// What `eval` and its comparisons of devices share: a model beside a data set, and one pass.
#include "train/eval_program.h"
#include "train/evaluate.h"
#include "train/features.h"

namespace temper {

struct EvaluationSet {
  Model model;
  Dataset dataset;  // classes in the model's order
  std::string split;
};
// Errors of reading either; invalid if they do not fit.
EvaluationSet open_evaluation(const EvaluateOptions& options, TrainEvents& events);

CompileOptions compile_options(const EvaluateOptions& options);

// The data set as the model wants its samples. References must outlive the result.
FeatureSource feature_source(const EvaluateOptions& options, const Model& model, const Dataset& dataset,
                             TrainEvents& events);

struct EvaluationPass {
  Evaluation evaluation;
  std::vector<int64_t> predictions;  // by sample; -1: skipped
};
using EachScore =
    std::function<void(const Targets&, int64_t sample, std::span<const float> scores, double loss)>;

// One pass over the data set; several devices share out the batches.
EvaluationPass evaluate_model(const EvaluateOptions& options, const Model& model, const Dataset& dataset,
                              std::span<Device* const> devices, TrainEvents& events,
                              const EachScore& each = {});

// The share of samples for which both predict the same, of those that both predict.
double agreement(const std::vector<int64_t>& a, const std::vector<int64_t>& b);

}  // namespace temper
