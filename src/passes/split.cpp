// The frozen part of a graph and the rest.
#include <algorithm>
#include <map>
#include <set>

#include "ir/builder.h"
#include "ops/registry.h"
#include "passes/passes.h"

namespace temper {
namespace {

// Repeating these costs nothing; cutting the graph at them would store their results. What dequantize reads
// is worth more than what it makes: contractions run on the integers.
bool is_free(const Node& node) {
  static const std::set<std::string_view> names = {"constant",         "iota",      "reshape",
                                                   "broadcast_in_dim", "barrier",   "bitcast",
                                                   "dimension_size",   "dequantize"};
  return names.contains(node.op->name);
}

std::vector<bool> changing_nodes(const Graph& graph, const std::function<bool(const std::string&)>& changes) {
  std::vector<bool> changing(static_cast<size_t>(graph.size()));
  std::set<std::string_view> known;  // free dimensions that what does not change has
  for (const Port& port : graph.inputs) {
    changing[static_cast<size_t>(port.value.node)] = changes(port.name);
    if (changes(port.name)) continue;
    for (const Dim& dim : graph.type(port.value).shape) known.insert(dim.symbol_name());
  }
  const auto unknown = [&](const Dim& dim) { return !dim.is_static() && !known.contains(dim.symbol_name()); };
  for (size_t i = 0; i < changing.size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (node.op->random_or_effect && node.op != &op("barrier")) changing[i] = true;
    for (Value input : node.inputs) {
      if (input && changing[static_cast<size_t>(input.node)]) changing[i] = true;
    }
    for (const Type& type : node.outputs)
      if (std::any_of(type.shape.begin(), type.shape.end(), unknown)) changing[i] = true;
  }
  return changing;
}

// Copies what `wanted` needs from `graph`, stopping at values already in `map`; graph inputs become inputs.
class Extract {
 public:
  Extract(const Graph& graph, Graph& to) : graph_(graph), b_(to) {}

  void feature(Value value, const std::string& name) { map_[value] = b_.input(name, graph_.type(value)); }

  Value copy(Value value) {
    mark(value);
    for (int i = 0; i <= value.node; ++i) {
      if (wanted_.contains(i)) emit(i);
    }
    wanted_.clear();
    return map_.at(value);
  }

  Builder& builder() { return b_; }

 private:
  void mark(Value value) {
    std::vector<Value> open = {value};
    while (!open.empty()) {
      const Value at = open.back();
      open.pop_back();
      if (!at || map_.contains(at) || !wanted_.insert(at.node).second) continue;
      for (Value input : graph_.node(at).inputs) open.push_back(input);
    }
  }

  void emit(int index) {
    const Node& node = graph_.nodes()[static_cast<size_t>(index)];
    if (node.op == &input_op) {
      for (const Port& port : graph_.inputs) {
        if (port.value.node == index) map_[port.value] = b_.input(port.name, node.outputs.front());
      }
      return;
    }
    std::vector<Value> inputs;
    for (Value input : node.inputs) inputs.push_back(input ? map_.at(input) : Value{});
    const std::vector<Value> results =
        b_.emit_all(*node.op, inputs, node.attributes, node.name, node.regions);
    for (size_t k = 0; k < results.size(); ++k) map_[{index, static_cast<int32_t>(k)}] = results[k];
  }

  const Graph& graph_;
  Builder b_;
  std::map<Value, Value> map_;
  std::set<int> wanted_;
};

// Frozen values that the changing part (or an output) reads, each followed back through what is free to
// repeat.
std::vector<Value> cut_values(const Graph& graph, const std::vector<bool>& changing) {
  std::set<Value> cut;
  std::vector<Value> open;
  for (size_t i = 0; i < changing.size(); ++i) {
    if (!changing[i]) continue;
    for (Value input : graph.nodes()[i].inputs) open.push_back(input);
  }
  for (const Port& port : graph.outputs) open.push_back(port.value);
  std::set<Value> seen;
  while (!open.empty()) {
    const Value at = open.back();
    open.pop_back();
    if (!at || changing[static_cast<size_t>(at.node)] || !seen.insert(at).second) continue;
    const Node& node = graph.node(at);
    if (node.op == &input_op) continue;  // the suffix takes the input itself
    if (!is_free(node)) {
      cut.insert(at);
      continue;
    }
    for (Value input : node.inputs) open.push_back(input);
  }
  return {cut.begin(), cut.end()};
}

}  // namespace

Split split_frozen(const Graph& graph, const std::function<bool(const std::string& input)>& changes) {
  const std::vector<Value> cut = cut_values(graph, changing_nodes(graph, changes));
  Split split;
  Extract prefix(graph, split.prefix), suffix(graph, split.suffix);
  for (size_t i = 0; i < cut.size(); ++i) {
    split.features.push_back(concat("feature.", i));
    prefix.builder().output(split.features.back(), prefix.copy(cut[i]));
    suffix.feature(cut[i], split.features.back());
  }
  for (const Port& port : graph.outputs) suffix.builder().output(port.name, suffix.copy(port.value));

  // Donations between ports that are still there.
  for (const Donation& pair : graph.donations) {
    const std::string& name = graph.inputs[static_cast<size_t>(pair.input)].name;
    for (size_t i = 0; i < split.suffix.inputs.size(); ++i) {
      if (split.suffix.inputs[i].name == name)
        split.suffix.donations.push_back({static_cast<int>(i), pair.output});
    }
  }
  return split;
}

}  // namespace temper
