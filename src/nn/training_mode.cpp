#include "nn/training_mode.h"

#include <cmath>
#include <deque>
#include <map>
#include <set>

#include "ops/composites.h"
#include "ops/primitives.h"
#include "ops/uniform.h"

namespace temper::nn {
namespace {

// The graph input that a value is, perhaps behind reshapes of the importer.
std::string input_name(const Graph& graph, Value value) {
  for (const Port& port : graph.inputs) {
    if (port.value == value) return port.name;
  }
  return {};
}

struct Statistics {
  std::string mean, variance;  // graph inputs
};

// keep * old + (1 - keep) * fresh
Value running(Builder& b, Value old, Value fresh, double keep) {
  return ops::add(b, ops::mul(b, old, keep), ops::mul(b, ops::convert(b, fresh, b.dtype(old)), 1 - keep));
}

// Over the parts of a batch that all replicas have; sums of f32. x: [n, c, ...]
ops::BatchNormResult sync_batch_norm(Builder& b, Value x, Value scale, Value bias, Value addend,
                                     const ops::NormActivation& activation, int64_t replicas) {
  const Shape shape = b.shape(x);
  Ints axes{0};
  for (int axis = 2; axis < shape.rank(); ++axis) axes.push_back(axis);
  const int64_t count = replicas * (shape.elements() / shape.size(1));
  const double share = 1 / static_cast<double>(count);
  const auto mean_of = [&](Value values) {
    return ops::mul(b, ops::all_reduce(b, ops::reduce_sum(b, values, axes), "sum", replicas), share);
  };
  const auto by_channel = [&](Value vector) { return ops::broadcast_in_dim(b, vector, shape, {1}); };
  const Value wide = ops::convert(b, x, DType::f32);
  const Value mean = mean_of(wide);
  const Value centred = ops::sub(b, wide, by_channel(mean));
  const Value variance = mean_of(ops::mul(b, centred, centred));
  const Value factor = ops::mul(b, ops::convert(b, scale, DType::f32),
                                ops::rsqrt(b, ops::add(b, variance, activation.epsilon)));
  Value y =
      ops::add(b, ops::mul(b, centred, by_channel(factor)), by_channel(ops::convert(b, bias, DType::f32)));
  y = ops::convert(b, y, b.dtype(x));
  if (addend) y = ops::add(b, y, addend);
  if (std::isfinite(activation.low)) y = ops::max(b, y, activation.low);
  if (std::isfinite(activation.high)) y = ops::min(b, y, activation.high);
  return {y, mean, variance};
}

// A batch norm and what alone reads it: a sum, then bounds. They become one op in the place of the last node.
struct Norm {
  Statistics names;
  const Node *norm, *last;
  const Node* sum = nullptr;
  size_t addend_at = 0;  // among the inputs of `sum`
  ops::NormActivation activation;
  std::vector<Value> inputs = {};  // of `norm`, in the new graph
  Value addend = {};
};

class Rewrite {
 public:
  Rewrite(const Graph& graph, const std::function<bool(const Graph&, const Node&)>& trains,
          const Replicas& replicas)
      : graph_(graph), readers_(users(graph)), replicas_(replicas) {
    for (const Port& output : graph.outputs) is_output_.insert(output.value.node);
    for (int i = 0; i < graph.size(); ++i) {
      const Node& node = graph.nodes()[static_cast<size_t>(i)];
      if (node.op->name != "batch_norm_infer" || !trains(graph, node)) continue;
      Statistics names{input_name(graph, node.inputs[3]), input_name(graph, node.inputs[4])};
      // Statistics that are not inputs of their own are computed: such a norm cannot be trained.
      if (!names.mean.empty() && !names.variance.empty()) add_norm(i, std::move(names));
    }
  }

  std::optional<std::vector<Value>> operator()(Builder& b, const NodeView& view) {
    if (view.node.op->name == "dropout_infer") return drop(b, view);
    const auto found = members_.find(&view.node);
    if (found == members_.end()) return std::nullopt;
    Norm& norm = *found->second;
    if (&view.node == norm.norm) norm.inputs.assign(view.inputs.begin(), view.inputs.end());
    if (&view.node == norm.sum) norm.addend = view.inputs[norm.addend_at];
    // Until the last node a value of the same type stands for the result; nobody else reads it.
    if (&view.node != norm.last) return std::vector<Value>{norm.inputs[0]};
    b.set_default_name(norm.norm->name);
    return std::vector<Value>{normalise(b, norm)};
  }

  const std::vector<std::pair<std::string, Value>>& updates() const { return updates_; }

 private:
  std::vector<Value> drop(Builder& b, const NodeView& view) {
    const double rate = view.attributes().get<double>("rate");
    if (rate == 0) return {view.inputs[0]};
    if (!key_) key_ = b.input("key", {DType::u32, {2}});
    const Value x = view.inputs[0];
    if (replicas_.count == 1) return {ops::dropout(b, x, key_, rate, stream_++)};
    if (!replica_) replica_ = b.input("replica", {DType::u64, {1}});
    const Value elements = b.scalar(DType::u64, static_cast<double>(b.shape(x).elements()));
    const Value first = ops::mul(b, ops::reshape(b, replica_, {}), elements);
    return {ops::dropout_of_part(b, x, key_, first, rate, stream_++)};
  }

  void add_norm(int index, Statistics names) {
    const Node& node = graph_.nodes()[static_cast<size_t>(index)];
    Norm& norm = norms_.emplace_back(Norm{.names = std::move(names), .norm = &node, .last = &node});
    norm.activation.epsilon = node.attributes.get<double>("epsilon");
    members_.emplace(&node, &norm);
    while (readers_[static_cast<size_t>(index)].size() == 1 && !is_output_.contains(index)) {
      const int next = readers_[static_cast<size_t>(index)][0];
      const Node& reader = graph_.nodes()[static_cast<size_t>(next)];
      if (members_.contains(&reader) || !extend(norm, {index, 0}, reader)) break;
      norm.last = &reader;
      members_.emplace(&reader, &norm);
      index = next;
    }
  }

  // Takes `reader`, which reads `value`, into the norm if it is a sum or a bound that may follow.
  bool extend(Norm& norm, Value value, const Node& reader) const {
    ops::NormActivation& activation = norm.activation;
    const std::string_view name = reader.op->name;
    if ((name != "add" && name != "max" && name != "min") || reader.inputs[0] == reader.inputs[1])
      return false;
    const size_t other = reader.inputs[0] == value ? 1 : 0;
    const bool bounded = activation.low != kUnbounded.low || activation.high != kUnbounded.high;
    if (name == "add") {
      if (norm.sum || bounded) return false;
      norm.sum = &reader;
      norm.addend_at = other;
      return true;
    }
    const std::optional<double> bound = ops::uniform_constant(graph_, reader.inputs[other]);
    if (!bound || !std::isfinite(*bound)) return false;
    if (name == "max" && !bounded) return activation.low = *bound, true;
    if (name == "min" && activation.high == kUnbounded.high && *bound > activation.low)
      return activation.high = *bound, true;
    return false;
  }

  Value normalise(Builder& b, const Norm& norm) {
    const Value x = norm.inputs[0];
    const int64_t replicas = replicas_.sync_norm ? replicas_.count : 1;
    const ops::BatchNormResult result =
        replicas > 1
            ? sync_batch_norm(b, x, norm.inputs[1], norm.inputs[2], norm.addend, norm.activation, replicas)
        : norm.last == norm.norm
            ? ops::batch_norm_train(b, x, norm.inputs[1], norm.inputs[2], norm.activation.epsilon)
            : ops::batch_norm_act_train(b, x, norm.inputs[1], norm.inputs[2], norm.addend, norm.activation);
    const auto keep = norm.norm->attributes.get<double>("momentum");
    const int64_t count = replicas * (b.shape(x).elements() / b.shape(x).size(1));
    const double factor = count > 1 ? static_cast<double>(count) / static_cast<double>(count - 1) : 1;
    const Value unbiased = ops::mul(b, result.variance, factor);
    update(norm.names.mean, running(b, norm.inputs[3], over_replicas(b, result.mean), keep));
    update(norm.names.variance, running(b, norm.inputs[4], over_replicas(b, unbiased), keep));
    return result.y;
  }

  // The mean of what each replica found; what all found together is left as it is.
  Value over_replicas(Builder& b, Value statistic) const {
    if (replicas_.count == 1 || replicas_.sync_norm) return statistic;
    return ops::mul(b, ops::all_reduce(b, statistic, "sum", replicas_.count),
                    1 / static_cast<double>(replicas_.count));
  }

  // Of a norm that is applied several times the last update counts.
  void update(const std::string& name, Value value) {
    for (auto& [known, last] : updates_) {
      if (known == name) {
        last = value;
        return;
      }
    }
    updates_.emplace_back(name, value);
  }

  static constexpr ops::NormActivation kUnbounded = {};

  const Graph& graph_;
  const std::vector<std::vector<int>> readers_;
  std::set<int> is_output_;
  std::deque<Norm> norms_;
  std::map<const Node*, Norm*> members_;
  std::vector<std::pair<std::string, Value>> updates_;
  const Replicas replicas_;
  Value key_, replica_;
  int64_t stream_ = 0;
};

}  // namespace

TrainingMode training_mode(const Graph& graph, const std::function<bool(const Graph&, const Node&)>& trains,
                           const Replicas& replicas) {
  Rewrite rewriting(graph, trains, replicas);
  TrainingMode result;
  result.graph = rewrite(graph, [&](Builder& b, const NodeView& view) { return rewriting(b, view); }, false);
  for (const auto& [name, value] : rewriting.updates()) {
    result.graph.outputs.push_back({name, value});
    result.statistics.push_back(name);
  }
  return result;
}

}  // namespace temper::nn
