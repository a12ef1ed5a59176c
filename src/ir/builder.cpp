#include "ir/builder.h"

#include <algorithm>

#include "ir/hash.h"

namespace temper {

static uint64_t hash_node(const Op& op, std::span<const Value> inputs, const Attributes& attributes) {
  uint64_t seed = mix(reinterpret_cast<uintptr_t>(&op), hash(attributes));
  for (Value input : inputs) {
    seed = mix(seed, (static_cast<uint64_t>(static_cast<uint32_t>(input.node)) << 8) ^
                         static_cast<uint64_t>(static_cast<uint32_t>(input.index)));
  }
  return seed;
}

// Nodes with regions are compared nowhere: they are rare and their bodies large.
static bool may_share(const Op& op, std::span<const Graph> regions) {
  return &op != &input_op && !op.random_or_effect && regions.empty();
}

Builder::Builder(Graph& graph) : graph_(graph) {
  for (int i = 0; i < graph.size(); ++i) {
    const Node& node = graph.nodes()[static_cast<size_t>(i)];
    if (may_share(*node.op, node.regions))
      known_.emplace(hash_node(*node.op, node.inputs, node.attributes), i);
  }
}

Value Builder::input(std::string_view name, const Type& type) {
  const Value value = emit(input_op, {}, {{"dtype", type.dtype}, {"shape", type.shape}}, name);
  graph_.inputs.push_back({std::string(name), value});
  return value;
}

void Builder::output(std::string_view name, Value value) {
  TEMPER_CHECK(value, "output ", name, " has no value");
  graph_.outputs.push_back({std::string(name), value});
}

static std::vector<Type> infer_types(const Graph& graph, const Op& op, std::span<const Value> inputs,
                                     const Attributes& attributes, std::span<const Graph> regions) {
  std::vector<Type> types;
  std::vector<char> present;
  for (Value input : inputs) {
    TEMPER_CHECK(!input || input.node < graph.size(), op.name, " reads a value of another graph");
    types.push_back(input ? graph.type(input) : Type{});
    present.push_back(static_cast<bool>(input));
  }
  return op.infer(
      {op, types, {reinterpret_cast<const bool*>(present.data()), present.size()}, attributes, regions});
}

static std::vector<Value> outputs_of(int node, size_t count) {
  std::vector<Value> values;
  for (size_t i = 0; i < count; ++i) values.push_back({node, static_cast<int32_t>(i)});
  return values;
}

std::vector<Value> Builder::emit_all(const Op& op, std::vector<Value> inputs, Attributes attributes,
                                     std::string_view name, std::vector<Graph> regions) {
  while (!inputs.empty() && !inputs.back()) inputs.pop_back();  // one spelling for absent trailing inputs
  const bool shared = may_share(op, regions);
  const uint64_t key = shared ? hash_node(op, inputs, attributes) : 0;
  if (shared) {
    const auto [begin, end] = known_.equal_range(key);
    for (auto at = begin; at != end; ++at) {
      const Node& node = graph_.nodes_[static_cast<size_t>(at->second)];
      if (node.op == &op && node.inputs == inputs && node.attributes == attributes)
        return outputs_of(at->second, node.outputs.size());
    }
  }
  const std::string_view label = name.empty() ? std::string_view(default_name_) : name;
  std::vector<Type> types;
  try {
    types = infer_types(graph_, op, inputs, attributes, regions);
  } catch (const Error& error) {
    if (label.empty() || !error.node().empty()) throw;
    throw Error(error.kind(), concat("node ", label, ": ", error.what())).at_node(std::string(label));
  }
  const int index = graph_.size();
  if (shared) known_.emplace(key, index);
  const size_t count = types.size();
  graph_.nodes_.push_back({&op, std::move(inputs), std::move(attributes), std::move(types),
                           std::move(regions), std::string(label)});
  return outputs_of(index, count);
}

Value Builder::emit(const Op& op, std::vector<Value> inputs, Attributes attributes, std::string_view name) {
  return emit_all(op, std::move(inputs), std::move(attributes), name).front();
}

Value Builder::constant(Tensor tensor) { return emit(constant_op, {}, {{"value", std::move(tensor)}}); }

Value Builder::scalar(DType dtype, double value) {
  if (is_float(dtype)) return constant(from_doubles({dtype, {}}, std::span(&value, 1)));
  const auto integer = static_cast<int64_t>(value);
  return constant(from_int64s({dtype, {}}, std::span(&integer, 1)));
}

static std::vector<Value> mapped_inputs(const Node& node, const std::vector<std::vector<Value>>& map) {
  std::vector<Value> inputs;
  for (Value input : node.inputs) {
    inputs.push_back(input ? map[static_cast<size_t>(input.node)][static_cast<size_t>(input.index)]
                           : Value{});
  }
  return inputs;
}

static Value mapped(const std::vector<std::vector<Value>>& map, Value value) {
  return map[static_cast<size_t>(value.node)][static_cast<size_t>(value.index)];
}

std::vector<Value> inline_graph(Builder& to, const Graph& from, std::span<const Value> inputs) {
  TEMPER_CHECK(inputs.size() == from.inputs.size(), "a graph of ", from.inputs.size(), " inputs got ",
               inputs.size());
  std::vector<std::vector<Value>> map(static_cast<size_t>(from.size()));
  for (size_t i = 0; i < inputs.size(); ++i)
    map[static_cast<size_t>(from.inputs[i].value.node)] = {inputs[i]};
  for (size_t i = 0; i < map.size(); ++i) {
    const Node& node = from.nodes()[i];
    if (node.op == &input_op) continue;
    map[i] = to.emit_all(*node.op, mapped_inputs(node, map), node.attributes, node.name, node.regions);
  }
  std::vector<Value> results;
  for (const Port& port : from.outputs) results.push_back(mapped(map, port.value));
  return results;
}

Graph rewrite(const Graph& graph, const RewriteNode& rewrite_node, bool recurse) {
  Graph result;
  Builder b(result);
  std::vector<std::vector<Value>> map(static_cast<size_t>(graph.size()));
  for (const Port& port : graph.inputs) {
    const Node& node = graph.node(port.value);
    b.set_default_name(node.name);
    const NodeView view{node, {}};
    std::optional<std::vector<Value>> replaced = rewrite_node(b, view);
    if (replaced) {  // a new input node: same port, other type
      TEMPER_CHECK(replaced->size() == 1 && result.node(replaced->front()).op == &input_op, "input ",
                   port.name);
      map[static_cast<size_t>(port.value.node)] = *replaced;
    } else {
      map[static_cast<size_t>(port.value.node)] = {b.emit(input_op, {}, node.attributes, node.name)};
    }
    result.inputs.push_back({port.name, map[static_cast<size_t>(port.value.node)].front()});
  }
  for (size_t i = 0; i < map.size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (node.op == &input_op) continue;
    const std::vector<Value> inputs = mapped_inputs(node, map);
    b.set_default_name(node.name);
    std::optional<std::vector<Value>> replaced = rewrite_node(b, {node, inputs});
    if (replaced) {
      TEMPER_CHECK(replaced->size() == node.outputs.size(), "rewriting ", node.op->name);
      map[i] = std::move(*replaced);
      continue;
    }
    std::vector<Graph> regions = node.regions;
    if (recurse) {
      for (Graph& region : regions) region = rewrite(region, rewrite_node, true);
    }
    map[i] = b.emit_all(*node.op, inputs, node.attributes, node.name, std::move(regions));
  }
  for (const Port& port : graph.outputs) result.outputs.push_back({port.name, mapped(map, port.value)});
  result.donations = graph.donations;
  return result;
}

}  // namespace temper
