// Batch norms after convolutions become part of the weights.
#include <map>

#include "ops/composites.h"
#include "ops/primitives.h"
#include "ops/registry.h"
#include "passes/passes.h"

namespace temper {
namespace {

// A convolution that only this batch norm reads.
bool is_private_convolution(const Graph& graph, Value value, const std::vector<int>& readers) {
  for (const Port& port : graph.outputs) {
    if (port.value == value) return false;
  }
  return graph.node(value).op == &op("conv2d") && readers.size() == 1;
}

Value column(Builder& b, Value vector, int rank) {  // [c] -> [c, 1, ...]
  Shape shape = b.shape(vector);
  while (shape.rank() < rank) shape.push_back(1);
  return ops::reshape(b, vector, shape);
}

Value folded(Builder& b, const Node& convolution, std::span<const Value> inputs, const NodeView& norm) {
  const Value weight = inputs[1], bias = inputs.size() > 2 ? inputs[2] : Value{};
  const Value scale = norm.inputs[1], shift = norm.inputs[2], mean = norm.inputs[3],
              variance = norm.inputs[4];
  const Value factor =
      ops::mul(b, scale, ops::rsqrt(b, ops::add(b, variance, norm.attributes().get<double>("epsilon"))));
  const Value new_weight = ops::mul(b, weight, column(b, factor, b.shape(weight).rank()));
  const Value centred = bias ? ops::sub(b, bias, mean) : ops::neg(b, mean);
  const Value new_bias = ops::add(b, ops::mul(b, centred, factor), shift);
  return b.emit(*convolution.op, {inputs[0], new_weight, new_bias}, convolution.attributes, convolution.name);
}

}  // namespace

Graph fold_batch_norms(const Graph& graph, const std::function<bool(const Graph&, const Node&)>& may_fold) {
  const Op* norm = &op("batch_norm_infer");
  const std::vector<std::vector<int>> readers = users(graph);
  std::map<const Node*, std::vector<Value>> inputs_of;  // of each convolution, in the new graph
  std::map<const Node*, const Node*> convolution_of;    // by batch norm
  for (const Node& node : graph.nodes()) {
    if (node.op != norm) continue;
    const Value x = node.inputs[0];
    if (is_private_convolution(graph, x, readers[static_cast<size_t>(x.node)]) && may_fold(graph, node))
      convolution_of[&node] = &graph.node(x);
  }
  const Graph result =
      rewrite(graph, [&](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
        if (view.node.op == &op("conv2d")) inputs_of[&view.node] = {view.inputs.begin(), view.inputs.end()};
        const auto found = convolution_of.find(&view.node);
        if (found == convolution_of.end()) return std::nullopt;
        return std::vector<Value>{folded(b, *found->second, inputs_of.at(found->second), view)};
      });
  return eliminate_dead(result);
}

}  // namespace temper
