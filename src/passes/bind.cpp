// Inputs whose values are known become constants.
#include <set>

#include "base/check.h"
#include "ir/builder.h"
#include "passes/passes.h"

namespace temper {

Graph bind_inputs(const Graph& graph, const std::map<std::string, Tensor>& values) {
  TEMPER_CHECK(graph.donations.empty(), "a graph that donates is bound");
  Graph result;
  Builder b(result);
  std::vector<Value> inputs;
  for (const Port& port : graph.inputs) {
    const auto found = values.find(port.name);
    inputs.push_back(found == values.end() ? b.input(port.name, graph.type(port.value))
                                           : b.emit(constant_op, {}, {{"value", found->second}}, port.name));
  }
  const std::vector<Value> outputs = inline_graph(b, graph, inputs);
  for (size_t i = 0; i < outputs.size(); ++i) b.output(graph.outputs[i].name, outputs[i]);
  return result;
}

// What a contraction of integers must know when it is compiled.
static std::set<Value> read_for_integers(const Graph& graph) {
  std::set<Value> quantised, biases;
  for (const Node& node : graph.nodes()) {
    const std::string_view name = node.op->name;
    if (name == "dequantize") quantised.insert(node.inputs[0]);
    if (name == "dequantize" || name == "quantize")
      quantised.insert(node.inputs.begin() + 1, node.inputs.end());
    if (name == "conv2d" && node.inputs.size() > 2) biases.insert(node.inputs[2]);
    if (name == "broadcast_in_dim" && graph.type(node.inputs[0]).shape.rank() == 1)
      biases.insert(node.inputs[0]);
  }
  if (!quantised.empty()) quantised.merge(biases);
  return quantised;
}

Graph bind_quantised(const Graph& graph, const std::map<std::string, Tensor>& values) {
  const std::set<Value> read = read_for_integers(graph);
  std::map<std::string, Tensor> bound;
  for (const Port& port : graph.inputs) {
    const auto found = values.find(port.name);
    if (found != values.end() && read.contains(port.value)) bound.insert(*found);
  }
  return bound.empty() ? graph : bind_inputs(graph, bound);
}

}  // namespace temper
