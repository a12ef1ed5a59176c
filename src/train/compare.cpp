#include "train/compare.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "ir/builder.h"
#include "runtime/registry.h"
#include "train/evaluate_model.h"
#include "train/inference_model.h"
#include "train/job.h"
#include "train/machine.h"

namespace temper {
namespace {

// All scores of one device, a row per sample.
struct AllScores {
  EvaluationPass outcome;
  std::vector<float> values;
  size_t width = 0;

  std::span<const float> row(size_t sample) const { return std::span(values).subspan(sample * width, width); }
};

AllScores scores_of(const EvaluateOptions& options, const EvaluationSet& set, Device& device,
                    TrainEvents& events) {
  AllScores all;
  Device* const one = &device;
  all.outcome = evaluate_model(options, set.model, set.dataset, {&one, 1}, events,
                               [&](const Targets&, int64_t sample, std::span<const float> scores, double) {
                                 all.width = scores.size();
                                 all.values.resize(static_cast<size_t>(set.dataset.size()) * all.width);
                                 std::ranges::copy(
                                     scores, all.values.begin() + sample * static_cast<int64_t>(all.width));
                               });
  return all;
}

struct Apart {
  double max = 0, mean = 0;
  int64_t sample = -1;  // with the largest; -1: all are equal
};

// A score that is no number on one side only is infinitely far away.
double distance(float a, float b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  const double gap = std::abs(static_cast<double>(a) - b);
  return std::isfinite(gap) ? gap : std::numeric_limits<double>::infinity();
}

Apart apart(const AllScores& a, const AllScores& b) {
  Apart result;
  int64_t compared = 0;
  for (size_t sample = 0; sample < a.outcome.predictions.size(); ++sample) {
    if (a.outcome.predictions[sample] < 0 || b.outcome.predictions[sample] < 0) continue;
    const std::span<const float> left = a.row(sample), right = b.row(sample);
    for (size_t i = 0; i < left.size(); ++i, ++compared) {
      const double gap = distance(left[i], right[i]);
      result.mean += gap;
      if (gap <= result.max) continue;
      result.max = gap;
      result.sample = static_cast<int64_t>(sample);
    }
  }
  if (compared > 0) result.mean /= static_cast<double>(compared);
  return result;
}

// The data inputs of the batch that holds a sample, through a program that has nothing else.
std::map<std::string, Tensor> inputs_of_batch(const EvaluateOptions& options, const EvaluationSet& set,
                                              const Graph& graph, int64_t sample, TrainEvents& events) {
  Graph feed;
  Builder b(feed);
  for (const int at : data_inputs(set.model)) {
    const std::string& name = set.model.graph.inputs[static_cast<size_t>(at)].name;
    b.output(name, b.input("input." + name, graph.type(graph.find_input(name))));
  }
  DeviceState state(open_device("cpu"));
  BoundProgram program(state, feed, {});
  FeatureSource source = feature_source(options, set.model, set.dataset, events);
  const auto batches = source.batches(LoaderOptions::Order::as_stored, options.batch);
  batches->start({});
  while (batches->next() > 0) {
    batches->fill(program);
    if (std::ranges::count(batches->indices(), sample) == 0) continue;
    std::map<std::string, Tensor> inputs;
    for (const Port& port : feed.outputs)
      inputs[port.name] = download(state.device(), program.input("input." + port.name));
    return inputs;
  }
  return {};
}

std::optional<FirstDifference> where_they_part(const EvaluateOptions& options, const EvaluationSet& set,
                                               int64_t sample, Device& reference, Device& device,
                                               double bound, TrainEvents& events) {
  const CompileOptions compile = compile_options(options);
  const Model folded =
      inference_model(reference, set.model, choose_precision("precision", options.precision, "eval"),
                      options.calibrate, static_cast<uint64_t>(options.seed), compile);
  const Graph graph = with_batch(folded, options.batch);  // not in parts: their nodes would be one
  std::map<std::string, Tensor> arguments = inputs_of_batch(options, set, graph, sample, events);
  for (const auto& [name, tensor] : folded.parameters) arguments[name] = tensor;
  return first_difference(graph, arguments, reference, device, bound, compile, events);
}

}  // namespace

Comparison compare_devices(const EvaluateOptions& options, const std::vector<std::string>& devices,
                           double bound, TrainEvents& events) {
  const Clock clock;
  choose_precision("precision", options.precision, "eval");
  if (devices.size() < 2)
    throw Error(ErrorKind::invalid, "compare: expected two devices or more, such as cpu,pjrt:cpu");
  std::vector<Device*> opened;
  for (const std::string& name : devices) opened.push_back(&choose_device(name));
  const EvaluationSet set = open_evaluation(options, events);
  Comparison result{.split = set.split, .bound = bound};
  AllScores first;
  for (size_t i = 0; i < devices.size(); ++i) {
    events.note(concat("on ", devices[i]));
    AllScores scores = scores_of(options, set, *opened[i], events);
    DeviceAnswers& answers = result.devices.emplace_back();
    answers.device = devices[i];
    answers.loss = scores.outcome.evaluation.loss;
    answers.accuracy = scores.outcome.evaluation.accuracy;
    result.samples = scores.outcome.evaluation.samples;
    if (i == 0) {
      first = std::move(scores);
      continue;
    }
    const Apart distances = apart(first, scores);
    answers.label_agreement = agreement(first.outcome.predictions, scores.outcome.predictions);
    answers.max_difference = distances.max, answers.mean_difference = distances.mean;
    if (distances.sample >= 0)
      answers.first_difference =
          where_they_part(options, set, distances.sample, *opened[0], *opened[i], bound, events);
  }
  result.seconds = clock.seconds();
  return result;
}

}  // namespace temper
