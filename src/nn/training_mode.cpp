#include "nn/training_mode.h"

#include <map>

#include "ops/composites.h"
#include "ops/primitives.h"

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

class Rewrite {
 public:
  Rewrite(const Graph& graph, const std::function<bool(const Graph&, const Node&)>& trains) {
    for (const Node& node : graph.nodes()) {
      if (node.op->name != "batch_norm_infer" || !trains(graph, node)) continue;
      Statistics names{input_name(graph, node.inputs[3]), input_name(graph, node.inputs[4])};
      // Statistics that are not inputs of their own are computed: such a norm cannot be trained.
      if (!names.mean.empty() && !names.variance.empty()) norms_.emplace(&node, std::move(names));
    }
  }

  std::optional<std::vector<Value>> operator()(Builder& b, const NodeView& view) {
    if (view.node.op->name == "dropout_infer") return drop(b, view);
    const auto found = norms_.find(&view.node);
    if (found == norms_.end()) return std::nullopt;
    return normalise(b, view, found->second);
  }

  const std::vector<std::pair<std::string, Value>>& updates() const { return updates_; }

 private:
  std::vector<Value> drop(Builder& b, const NodeView& view) {
    const double rate = view.attributes().get<double>("rate");
    if (rate == 0) return {view.inputs[0]};
    if (!key_) key_ = b.input("key", {DType::u32, {2}});
    return {ops::dropout(b, view.inputs[0], key_, rate, stream_++)};
  }

  std::vector<Value> normalise(Builder& b, const NodeView& view, const Statistics& names) {
    const auto epsilon = view.attributes().get<double>("epsilon"),
               keep = view.attributes().get<double>("momentum");
    const Value x = view.inputs[0];
    const ops::BatchNormResult result = ops::batch_norm_train(b, x, view.inputs[1], view.inputs[2], epsilon);
    const int64_t count = b.shape(x).elements() / b.shape(x).size(1);
    const double factor = count > 1 ? static_cast<double>(count) / static_cast<double>(count - 1) : 1;
    const Value unbiased = ops::mul(b, result.variance, factor);
    update(names.mean, running(b, view.inputs[3], result.mean, keep));
    update(names.variance, running(b, view.inputs[4], unbiased, keep));
    return {result.y};
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

  std::map<const Node*, Statistics> norms_;
  std::vector<std::pair<std::string, Value>> updates_;
  Value key_;
  int64_t stream_ = 0;
};

}  // namespace

TrainingMode training_mode(const Graph& graph, const std::function<bool(const Graph&, const Node&)>& trains) {
  Rewrite rewriting(graph, trains);
  TrainingMode result;
  result.graph = rewrite(graph, [&](Builder& b, const NodeView& view) { return rewriting(b, view); }, false);
  for (const auto& [name, value] : rewriting.updates()) {
    result.graph.outputs.push_back({name, value});
    result.statistics.push_back(name);
  }
  return result;
}

}  // namespace temper::nn
