#include "train/frozen_cut.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <set>

#include "base/text.h"
#include "ir/builder.h"
#include "ir/op.h"
#include "passes/passes.h"
#include "report/progress.h"
#include "runtime/program_cache.h"
#include "target/cost.h"
#include "train/step.h"

namespace temper {
namespace {

// Nodes that a sample passes through.
std::vector<bool> reached_by_data(const Model& model) {
  const Graph& graph = model.graph;
  std::vector<bool> reached(static_cast<size_t>(graph.size()));
  for (const int at : data_inputs(model))
    reached[static_cast<size_t>(graph.inputs[static_cast<size_t>(at)].value.node)] = true;
  for (size_t i = 0; i < reached.size(); ++i)
    for (const Value input : graph.nodes()[i].inputs)
      if (input && reached[static_cast<size_t>(input.node)]) reached[i] = true;
  return reached;
}

// The last node that reads each node; graph.size() for what is a result.
std::vector<int> last_readers(const Graph& graph) {
  std::vector<int> last(static_cast<size_t>(graph.size()), -1);
  for (int i = 0; i < graph.size(); ++i)
    for (const Value input : graph.nodes()[static_cast<size_t>(i)].inputs)
      if (input) last[static_cast<size_t>(input.node)] = i;
  for (const Port& port : graph.outputs) last[static_cast<size_t>(port.value.node)] = graph.size();
  return last;
}

void drop_unread_inputs(Graph& graph) {
  std::set<int> read;
  for (const Node& node : graph.nodes())
    for (const Value input : node.inputs)
      if (input) read.insert(input.node);
  for (const Port& port : graph.outputs) read.insert(port.value.node);
  std::erase_if(graph.inputs, [&](const Port& port) { return !read.contains(port.value.node); });
  graph = eliminate_dead(graph);
}

Model part_of(const Model& prefix, Graph graph) {
  graph = eliminate_dead(graph);
  drop_unread_inputs(graph);
  Model part{.graph = std::move(graph), .preprocess = prefix.preprocess, .name = prefix.name};
  for (const Port& port : part.graph.inputs) {
    const auto found = prefix.parameters.find(port.name);
    if (found != prefix.parameters.end()) part.parameters.insert(*found);
  }
  return part;
}

// Seconds that a sample takes, on the way there and back included.
double measure(FrozenPrefix& prefix) {
  constexpr int kRuns = 3;
  const Tensor inputs(prefix.batch_type());
  const int64_t count = inputs.shape().size(0);
  std::vector<Tensor> features;
  for (Type type : prefix.feature_types()) {
    type.shape[0] = type.shape.size(0) * count;
    features.emplace_back(type);
  }
  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run <= kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    prefix.compute(inputs, features, 0);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (run > 0) best = std::min(best, took.count());  // the first one warms up
  }
  return best / static_cast<double>(count);
}

class Choosing {
 public:
  Choosing(const CutRequest& request, TrainEvents& events) : r_(request), events_(events) {}

  std::unique_ptr<FrozenPart> load() {
    const ProgramCache cache("cuts", key());
    if (const std::optional<std::string> kept = cache.find()) {
      const std::optional<CutPoint> cut = named(*kept);
      if (!cut) return std::make_unique<FrozenPart>(whole(), r_.trainer);
      events_.note(concat("the frozen part is cut at ", cut->name, ", as measured before"));
      return in_two(*cut);
    }
    std::unique_ptr<FrozenPrefix> uncut = whole();
    const std::optional<CutPoint> cut = measured(*uncut);
    if (looked_) cache.keep(cut ? node_text(*cut) : "whole");
    return cut ? in_two(*cut) : std::make_unique<FrozenPart>(std::move(uncut), r_.trainer);
  }

 private:
  static std::string node_text(const CutPoint& cut) { return concat(cut.value.node); }

  std::string key() const {
    std::string text = concat("cut 1\n", fingerprint(r_.prefix), " ", r_.batch, " ", r_.compile.threads, " ",
                              r_.training_work, "\n");
    for (Device* const device : {&r_.frozen, &r_.trainer}) {
      text += concat(device->name(), "\n");
      for (const auto& [name, fact] : device->facts().target.facts) text += concat(name, " ", fact, "\n");
    }
    return text;
  }

  std::optional<CutPoint> named(const std::string& text) const {
    for (CutPoint& cut : cut_points(r_.prefix))
      if (node_text(cut) == text) return std::move(cut);
    return std::nullopt;
  }

  std::unique_ptr<FrozenPrefix> whole() const {
    return std::make_unique<FrozenPrefix>(r_.frozen, r_.prefix, r_.batch, r_.compile);
  }

  std::unique_ptr<FrozenPart> in_two(const CutPoint& cut) const {
    const CutModels parts = cut_at(r_.prefix, cut.value);
    return std::make_unique<FrozenPart>(
        std::make_unique<FrozenPrefix>(r_.frozen, parts.beginning, r_.batch, r_.compile), r_.trainer,
        std::make_unique<FrozenPrefix>(r_.trainer, parts.end, r_.batch, r_.compile), cut.name);
  }

  // Both work at once: a sample takes as long as the slower one needs.
  std::optional<CutPoint> measured(FrozenPrefix& uncut_prefix) {
    const double there = measure(uncut_prefix);
    if (there * static_cast<double>(r_.samples) < r_.worth_seconds) return std::nullopt;
    const std::vector<CutPoint> points = cut_points(r_.prefix);
    if (points.empty()) return std::nullopt;
    looked_ = true;
    FrozenPrefix alone(r_.trainer, r_.prefix, r_.batch, r_.compile);
    const double here = measure(alone), all = work_of_sample(r_.prefix),
                 training = here * r_.training_work / all;
    const double uncut = std::max(there, training);
    double best = uncut;
    const CutPoint* chosen = nullptr;
    for (const CutPoint& point : points) {
      const double share = work_of_sample(cut_at(r_.prefix, point.value).beginning) / all;
      const double takes = std::max(there * share, here * (1 - share) + training);
      if (takes < best) best = takes, chosen = &point;
    }
    constexpr double kWorth = 0.9;  // less is not seen in a measurement
    if (!chosen || best > kWorth * uncut) {
      events_.note(concat("the frozen part stays whole on ", r_.frozen.name(), ": ", milliseconds(there),
                          " a sample there, ", milliseconds(here), " on ", r_.trainer.name()));
      return std::nullopt;
    }
    return tried(*chosen, uncut, training);
  }

  std::optional<CutPoint> tried(const CutPoint& point, double uncut, double training) {
    const CutModels parts = cut_at(r_.prefix, point.value);
    FrozenPrefix beginning(r_.frozen, parts.beginning, r_.batch, r_.compile),
        end(r_.trainer, parts.end, r_.batch, r_.compile);
    const double first = measure(beginning), second = measure(end);
    const bool better = std::max(first, second + training) < uncut;
    events_.note(concat("the frozen part ", better ? "is cut at " : "stays whole, not cut at ", point.name,
                        ": ", milliseconds(first), " a sample on ", r_.frozen.name(), " and ",
                        milliseconds(second + training), " on ", r_.trainer.name(), " instead of ",
                        milliseconds(uncut)));
    return better ? std::optional(point) : std::nullopt;
  }

  static std::string milliseconds(double seconds) { return concat(short_number(seconds * 1e3), " ms"); }

  const CutRequest& r_;
  TrainEvents& events_;
  bool looked_ = false;  // at other cuts
};

}  // namespace

std::vector<CutPoint> cut_points(const Model& prefix) {
  const Graph& graph = prefix.graph;
  const std::vector<bool> reached = reached_by_data(prefix);
  const std::vector<int> last = last_readers(graph);
  const Port& input = graph.inputs[static_cast<size_t>(data_inputs(prefix).front())];
  const Dim batch = graph.type(input.value).shape[0];
  std::vector<CutPoint> points;
  std::set<int> live;
  for (int i = 0; i < graph.size(); ++i) {
    if (!reached[static_cast<size_t>(i)]) continue;
    std::erase_if(live, [&](int node) { return last[static_cast<size_t>(node)] <= i; });
    if (last[static_cast<size_t>(i)] > i) live.insert(i);
    const Node& node = graph.nodes()[static_cast<size_t>(i)];
    if (node.op->random_or_effect) return {};  // stays on both sides of a cut
    const bool alone = live.size() == 1 && live.contains(i) && node.outputs.size() == 1;
    if (!alone || i == input.value.node || last[static_cast<size_t>(i)] == graph.size()) continue;
    const Shape& shape = node.outputs[0].shape;
    if (shape.rank() == 0 || shape[0] != batch) continue;
    if (!std::all_of(shape.begin() + 1, shape.end(), [](const Dim& dim) { return dim.is_static(); }))
      continue;
    points.push_back({{i, 0}, node.name.empty() ? concat(node.op->name, " ", i) : node.name});
  }
  return points;
}

CutModels cut_at(const Model& prefix, Value value) {
  Graph beginning = prefix.graph;
  beginning.outputs = {{"cut", value}};
  beginning.donations.clear();
  const Node* const node = &prefix.graph.node(value);
  Graph end = rewrite(
      prefix.graph,
      [&](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
        if (&view.node != node) return std::nullopt;
        return std::vector{b.input("cut", node->outputs[0])};
      },
      false);
  return {part_of(prefix, std::move(beginning)), part_of(prefix, std::move(end))};
}

double work_of_sample(const Model& model) { return nominal_work(with_batch(model, 1)); }

std::unique_ptr<FrozenPart> load_frozen_part(const CutRequest& request, TrainEvents& events) {
  return Choosing(request, events).load();
}

}  // namespace temper
