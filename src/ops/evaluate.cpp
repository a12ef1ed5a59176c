#include "ops/evaluate.h"

#include "ir/builder.h"

namespace temper {

static std::vector<Array> evaluate_composite(const Node& node, std::span<const Array* const> inputs,
                                             Rounding rounding) {
  Graph body;
  Builder b(body);
  std::vector<Value> values;
  std::vector<const Array*> arrays;
  for (const Array* input : inputs) {
    values.push_back(input ? b.input(concat("input.", values.size()), input->type) : Value{});
    if (input) arrays.push_back(input);
  }
  for (Value result : node.op->decompose(b, {node, values}))
    b.output(concat("output.", body.outputs.size()), result);
  return evaluate_graph(body, arrays, rounding);
}

std::vector<Array> evaluate_node(const Node& node, std::span<const Array* const> inputs, Rounding rounding) {
  const Op& op = *node.op;
  if (&op == &constant_op) return {to_array(node.attributes.get<Tensor>("value"))};
  if (!op.evaluate) {
    TEMPER_CHECK(op.decompose, op.name, " has neither an evaluation nor a decomposition");
    return evaluate_composite(node, inputs, rounding);
  }
  const auto run_region = [rounding](const Graph& region, std::span<const Array* const> arguments) {
    return evaluate_graph(region, arguments, rounding);
  };
  std::vector<Array> results = op.evaluate({node, inputs, node.outputs, run_region});
  TEMPER_CHECK(results.size() == node.outputs.size(), op.name, " gives ", results.size(), " results");
  for (Array& result : results) {
    if (rounding == Rounding::every_node) round_to_dtype(result);
  }
  return results;
}

// The last node that reads each node; the graph's size for outputs.
static std::vector<int> last_uses(const Graph& graph) {
  std::vector<int> last(static_cast<size_t>(graph.size()), -1);
  for (int i = 0; i < graph.size(); ++i) {
    for (Value input : graph.nodes()[static_cast<size_t>(i)].inputs) {
      if (input) last[static_cast<size_t>(input.node)] = i;
    }
  }
  for (const Port& port : graph.outputs) last[static_cast<size_t>(port.value.node)] = graph.size();
  return last;
}

std::vector<Array> evaluate_graph(const Graph& graph, std::span<const Array* const> inputs,
                                  Rounding rounding) {
  TEMPER_CHECK(inputs.size() == graph.inputs.size(), "a graph of ", graph.inputs.size(), " inputs got ",
               inputs.size());
  const std::vector<int> last = last_uses(graph);
  std::vector<std::vector<Array>> results(last.size());
  std::vector<const Array*> given(last.size(), nullptr);
  for (size_t i = 0; i < inputs.size(); ++i)
    given[static_cast<size_t>(graph.inputs[i].value.node)] = inputs[i];
  const auto at = [&](Value value) -> const Array* {
    if (!value) return nullptr;
    const auto node = static_cast<size_t>(value.node);
    return given[node] ? given[node] : &results[node][static_cast<size_t>(value.index)];
  };

  for (int i = 0; i < graph.size(); ++i) {
    const auto index = static_cast<size_t>(i);
    const Node& node = graph.nodes()[index];
    if (node.op == &input_op || last[index] < 0) continue;
    std::vector<const Array*> arguments;
    for (Value input : node.inputs) arguments.push_back(at(input));
    results[index] = evaluate_node(node, arguments, rounding);
    for (Value input : node.inputs) {
      if (input && last[static_cast<size_t>(input.node)] == i)
        results[static_cast<size_t>(input.node)].clear();
    }
  }
  std::vector<Array> outputs;
  for (const Port& port : graph.outputs) outputs.push_back(*at(port.value));
  return outputs;
}

}  // namespace temper
