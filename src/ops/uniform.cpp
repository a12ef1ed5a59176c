#include "ops/uniform.h"

namespace temper::ops {

std::optional<double> uniform_constant(const Graph& graph, Value value) {
  const Node* node = &graph.node(value);
  while (node->op->name == "broadcast_in_dim" || node->op->name == "reshape")
    node = &graph.node(node->inputs[0]);
  if (node->op->name != "constant" || node->outputs[0].shape.elements() != 1) return std::nullopt;
  return to_doubles(node->attributes.get<Tensor>("value"))[0];
}

}  // namespace temper::ops
