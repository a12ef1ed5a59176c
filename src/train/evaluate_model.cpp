#include "train/evaluate_model.h"

#include <algorithm>
#include <deque>

#include "base/text.h"
#include "train/inference_model.h"
#include "train/machine.h"
#include "train/open_model.h"
#include "train/setup.h"

namespace temper {
namespace {

struct Chosen {
  Dataset dataset;
  std::string split;
};

// By name, or test, else val, else everything.
Chosen choose_split(DataSplits&& splits, const EvaluateOptions& options) {
  const auto take = [&](std::optional<Dataset>& dataset, const char* name) -> Chosen {
    if (!dataset) {
      throw Error(ErrorKind::invalid, concat("split: ", options.data, " has no ", name, " data"));
    }
    return {std::move(*dataset), name};
  };
  if (options.split == "test") return take(splits.test, "test");
  if (options.split == "val") return take(splits.val, "val");
  if (options.split == "train") return take(splits.train, "train");
  if (options.split == "all") {
    Chosen all = take(splits.train ? splits.train : splits.test ? splits.test : splits.val, "any");
    return {std::move(all.dataset), "all"};
  }
  if (!options.split.empty()) {
    throw Error(ErrorKind::invalid,
                concat("split: expected test, val, train or all, found \"", options.split, "\""));
  }
  if (splits.test) return take(splits.test, "test");
  if (splits.val) return take(splits.val, "val");
  Chosen all = take(splits.train, "labelled");
  return {std::move(all.dataset), "all"};
}

DataSplits open_splits(const EvaluateOptions& options) {
  const bool parts = options.val_split || options.split == "val" || options.split == "train";
  return open_data({.data = options.data,
                    .val = options.val,
                    .test = options.test,
                    .val_split = options.val_split,
                    .seed = static_cast<uint64_t>(options.seed),
                    .split = parts && options.split != "all"});
}

}  // namespace

EvaluationSet open_evaluation(const EvaluateOptions& options, TrainEvents& events) {
  if (options.batch < 1)
    throw Error(ErrorKind::invalid, concat("batch: expected at least 1, found ", options.batch));
  if (options.data.empty()) throw Error(ErrorKind::invalid, "data: is missing; say what to evaluate on");
  DataSplits splits = open_splits(options);
  Model model = open_model({options.model, options.weights, options.shape, options.preprocess, options.labels,
                            static_cast<uint64_t>(options.seed)},
                           events);
  match_labels(splits, model, events);
  Chosen chosen = choose_split(std::move(splits), options);
  if (model.labels.empty()) model.labels = chosen.dataset.classes;
  return {std::move(model), std::move(chosen.dataset), std::move(chosen.split)};
}

CompileOptions compile_options(const EvaluateOptions& options) {
  CompileOptions compile;
  compile.threads = choose_threads(options.threads);
  compile.memory_limit = options.memory;
  return compile;
}

FeatureSource feature_source(const EvaluateOptions& options, const Model& model, const Dataset& dataset,
                             TrainEvents& events) {
  FeatureOptions features;
  features.model = &model;
  features.preprocess = preprocess_for(model, dataset);
  features.cache = false;
  features.loader.batch = options.batch;
  if (options.on_bad_sample == "skip") {
    features.loader.on_bad_sample = [&](int64_t sample, const std::string& message) {
      events.warning(concat("skipped ", dataset.name(sample), ": ", message));
    };
  }
  return {dataset, features, events};
}

namespace {

// The model on one device.
struct Evaluator {
  Evaluator(const EvaluateOptions& options, const Model& model, const nn::Loss& loss, Device& device)
      : state(device) {
    CompileOptions compile = compile_options(options);
    const Model folded =
        inference_model(device, model, choose_precision("precision", options.precision, "eval"),
                        options.calibrate, static_cast<uint64_t>(options.seed), compile);
    compile.sole_reader = true;
    for (const auto& [name, tensor] : folded.parameters) state.set("param." + name, tensor);
    program = std::make_unique<EvalProgram>(state, folded, EvalOptions{.batch = options.batch, .loss = loss},
                                            std::set<std::string>(), compile);
  }

  DeviceState state;
  std::unique_ptr<EvalProgram> program;
};

}  // namespace

EvaluationPass evaluate_model(const EvaluateOptions& options, const Model& model, const Dataset& dataset,
                              std::span<Device* const> devices, TrainEvents& events, const EachScore& each) {
  nn::Loss loss = default_loss(dataset, model);
  if (!options.loss.empty()) loss.kind = options.loss;
  FeatureSource source = feature_source(options, model, dataset, events);
  std::deque<Evaluator> evaluators;
  std::vector<EvalProgram*> programs;
  for (Device* const device : devices)
    programs.push_back(evaluators.emplace_back(options, model, loss, *device).program.get());
  const Targets targets(dataset, loss, programs[0]->scores_type());
  const auto batches = source.batches(LoaderOptions::Order::as_stored, options.batch);
  EvaluationPass pass;
  pass.predictions.assign(static_cast<size_t>(dataset.size()), -1);
  pass.evaluation = evaluate_batches(programs, *batches, targets, model.labels, events,
                                     [&](int64_t sample, std::span<const float> scores, double value) {
                                       pass.predictions[static_cast<size_t>(sample)] = best_index(scores);
                                       if (each) each(targets, sample, scores, value);
                                     });
  return pass;
}

double agreement(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  int64_t same = 0, both = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] < 0 || b[i] < 0) continue;
    ++both;
    same += a[i] == b[i];
  }
  return both > 0 ? static_cast<double>(same) / static_cast<double>(both) : 0;
}

}  // namespace temper
