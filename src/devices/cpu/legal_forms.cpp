#include "devices/cpu/legal_forms.h"

#include "devices/cpu/fusion.h"
#include "devices/cpu/onednn.h"
#include "ir/builder.h"
#include "ops/primitives.h"
#include "ops/uniform.h"
#include "passes/passes.h"

namespace temper::cpu {

Graph inline_calls(const Graph& graph) {
  const auto expand = [](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
    if (view.node.op->name != "call") return std::nullopt;
    return inline_graph(b, inline_calls(view.node.regions[0]), view.inputs);
  };
  return rewrite(graph, expand);
}

Graph batches_in_parts(const Graph& graph) { return train_in_parts(graph); }

Graph widen_contractions(const Graph& graph) {
  if (has_bf16_kernels()) return graph;
  const auto widen = [](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
    if (!is_contraction(view.node) || b.dtype(view.inputs[0]) != DType::bf16) return std::nullopt;
    std::vector<Value> inputs;
    for (const Value input : view.inputs)
      inputs.push_back(input ? ops::convert(b, input, DType::f32) : Value{});
    Attributes attributes = view.attributes();
    attributes.erase("result");
    const Value result = b.emit(*view.node.op, std::move(inputs), std::move(attributes), view.node.name);
    return std::vector{ops::convert(b, result, view.node.outputs[0].dtype)};
  };
  return rewrite(graph, widen, false);
}

namespace {

// The constant operand of a product by a number; none if it is something else.
Value number_of(const Graph& graph, const Node& node) {
  if (node.op->name != "mul" || !is_float(node.outputs[0].dtype)) return {};
  for (const Value operand : node.inputs)
    if (ops::uniform_constant(graph, operand)) return operand;
  return {};
}

// Whether x (above or below) c says the same of `bounded`, a max or min of x.
bool says_the_same(const Graph& graph, const Node& bounded, Value x, Value c, bool above) {
  const bool is_max = bounded.op->name == "max";
  if ((!is_max && bounded.op->name != "min") || bounded.inputs[0] != x || bounded.inputs[1] == x)
    return false;
  if (bounded.inputs[1] == c) return is_max == above;
  const auto bound = ops::uniform_constant(graph, bounded.inputs[1]), limit = ops::uniform_constant(graph, c);
  return bound && limit && (above ? !is_max && *bound > *limit : is_max && *bound < *limit);
}

}  // namespace

Graph scale_results(const Graph& graph) {
  const auto readers = users(graph);
  std::vector<bool> moves(static_cast<size_t>(graph.size()));
  for (int i = 0; i < graph.size(); ++i) {
    const auto at = static_cast<size_t>(i);
    moves[at] = !readers[at].empty() && number_of(graph, graph.nodes()[at]);
    for (const int reader : readers[at])
      moves[at] = moves[at] && graph.nodes()[static_cast<size_t>(reader)].op->name == "dot_general";
  }
  for (const Port& output : graph.outputs) moves[static_cast<size_t>(output.value.node)] = false;
  const auto move = [&](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
    if (view.node.op->name != "dot_general") return std::nullopt;
    std::vector<Value> operands(view.inputs.begin(), view.inputs.end());
    std::vector<double> factors;
    for (size_t i = 0; i < operands.size(); ++i) {
      if (!moves[static_cast<size_t>(view.node.inputs[i].node)]) continue;
      const Node& scaled = b.graph().node(operands[i]);
      const Value number = number_of(b.graph(), scaled);
      factors.push_back(*ops::uniform_constant(b.graph(), number));
      operands[i] = scaled.inputs[scaled.inputs[0] == number ? 1 : 0];
    }
    if (factors.empty()) return std::nullopt;
    Value result = b.emit(*view.node.op, operands, view.attributes(), view.node.name);
    for (const double factor : factors) result = ops::mul(b, result, factor);
    return std::vector{result};
  };
  return eliminate_dead(rewrite(graph, move, false));
}

Graph compare_results(const Graph& graph) {
  Graph result = graph;
  const auto readers = users(graph);
  for (int i = 0; i < graph.size(); ++i) {
    Node& node = result.node({i, 0});
    if (node.op->name != "compare") continue;
    const auto& direction = node.attributes.get<std::string>("direction");
    if (direction != "gt" && direction != "lt") continue;
    for (bool found = true; found;) {
      found = false;
      const Value x = node.inputs[0], c = node.inputs[1];
      for (const int reader : readers[static_cast<size_t>(x.node)]) {
        if (reader >= i ||
            !says_the_same(graph, graph.nodes()[static_cast<size_t>(reader)], x, c, direction == "gt"))
          continue;
        node.inputs[0] = {reader, 0};
        found = true;
        break;
      }
    }
  }
  return result;
}

}  // namespace temper::cpu
