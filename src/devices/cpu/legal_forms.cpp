#include "devices/cpu/legal_forms.h"

#include "devices/cpu/fusion.h"
#include "devices/cpu/onednn.h"
#include "ir/builder.h"
#include "ir/op.h"
#include "ops/primitives.h"

namespace temper::cpu {

Graph inline_calls(const Graph& graph) {
  const auto expand = [](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
    if (view.node.op->name != "call") return std::nullopt;
    return inline_graph(b, inline_calls(view.node.regions[0]), view.inputs);
  };
  return rewrite(graph, expand);
}

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

// Whether x (above or below) c says the same of `bounded`, a max or min of x.
bool says_the_same(const Graph& graph, const Node& bounded, Value x, Value c, bool above) {
  const bool is_max = bounded.op->name == "max";
  if ((!is_max && bounded.op->name != "min") || bounded.inputs[0] != x || bounded.inputs[1] == x)
    return false;
  if (bounded.inputs[1] == c) return is_max == above;
  const auto bound = uniform_constant(graph, bounded.inputs[1]), limit = uniform_constant(graph, c);
  return bound && limit && (above ? !is_max && *bound > *limit : is_max && *bound < *limit);
}

}  // namespace

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
