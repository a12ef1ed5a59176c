#include "devices/cpu/launches.h"

#include "base/check.h"
#include "devices/cpu/contract.h"
#include "devices/cpu/control.h"
#include "devices/cpu/convolution.h"
#include "devices/cpu/expansion.h"
#include "devices/cpu/fusion.h"
#include "devices/cpu/matmul.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

Placement all_row_major(const Operands& operands) {
  return {Ints(operands.inputs.size(), kRowMajor), Ints(operands.outputs.size(), kRowMajor)};
}

// Activations channels-last, weights where they are.
Placement around_convolution(const Graph& graph, const Node& node, const Operands& operands,
                             const Layouts& layouts, const std::function<int64_t(Value)>& present) {
  Placement placement;
  const int rank = node.outputs[0].shape.rank();
  const bool makes_weights = node.op->name == "conv_weight_grad";
  for (const Value input : operands.inputs) {
    const bool is_weights = !makes_weights && input == weights_of(graph, node);
    const bool is_activation = !is_weights && graph.type(input).shape.rank() == rank;
    placement.inputs.push_back(is_weights ? present(input) : is_activation ? channels_last(rank) : kRowMajor);
  }
  for (const Value output : operands.outputs)
    placement.outputs.push_back(makes_weights ? layouts.of(output) : channels_last(rank));
  return placement;
}

// Pictures channels-last, weights row-major.
Placement around_expansion(const Node& node, const Operands& operands) {
  Placement placement = all_row_major(operands);
  for (size_t i = 0; i < operands.inputs.size(); ++i)
    if (operands.inputs[i] == node.inputs[0]) placement.inputs[i] = channels_last(4);
  placement.outputs[0] = channels_last(4);
  return placement;
}

// Operands where they are if matmul can read them so.
Placement around_dot(const Graph& graph, const Cluster& cluster, const Operands& operands,
                     const Layouts& layouts, const std::function<int64_t(Value)>& present) {
  const Node& node = graph.nodes()[static_cast<size_t>(cluster.nodes[0])];
  Placement placement = all_row_major(operands);
  const int64_t wanted = layouts.of(operands.outputs[0]);
  if (can_store_product(graph, cluster, wanted)) placement.outputs[0] = wanted;
  const Value x = node.inputs[0], y = node.inputs[1];
  const DotLayouts chosen = dot_layouts(graph, node, present(x), present(y));
  for (size_t i = 0; i < operands.inputs.size(); ++i) {
    if (operands.inputs[i] == x) placement.inputs[i] = chosen.x;
    if (operands.inputs[i] == y) placement.inputs[i] = chosen.y;
  }
  return placement;
}

// What is captured as it lies, parts of a batch channels-last, their sums wherever they are wanted, the rest
// row-major.
Placement around_control(const Graph& graph, const Node& node, const Operands& operands,
                         const Layouts& layouts, const std::function<int64_t(Value)>& present) {
  Placement placement = all_row_major(operands);
  const bool parts = node.op->name == "in_parts";
  for (size_t i = 0; parts && i < operands.outputs.size(); ++i) {
    const Value output = operands.outputs[i];
    placement.outputs[i] = is_joined(node, static_cast<size_t>(output.index))
                               ? channels_last(graph.type(output).shape.rank())
                               : layouts.of(output);
  }
  for (size_t i = 0; i < operands.inputs.size(); ++i) {
    bool any = is_leaf(graph.node(operands.inputs[i])), cut = false;
    for (size_t k = 0; k < node.inputs.size(); ++k)
      cut = cut || (node.inputs[k] == operands.inputs[i] && is_cut(node, k));
    if (cut) placement.inputs[i] = channels_last(graph.type(operands.inputs[i]).shape.rank());
    for (size_t k = 0; k < node.inputs.size(); ++k)
      any = any && (node.inputs[k] != operands.inputs[i] || takes_any_layout(node, k));
    if (any) placement.inputs[i] = present(operands.inputs[i]);
  }
  return placement;
}

Placement around_cluster(const Graph& graph, const Cluster& cluster, const Operands& operands,
                         const Layouts& layouts) {
  const int64_t chosen = cluster_layout(graph, cluster, operands, layouts);
  Placement placement;
  for (const Value input : operands.inputs)
    placement.inputs.push_back(operand_layout(graph, operands, input, chosen));
  for (const Value output : operands.outputs)
    placement.outputs.push_back(operand_layout(graph, operands, output, chosen));
  return placement;
}

}  // namespace

LaunchKernel make_launch(const Graph& graph, const Cluster& cluster, const Operands& operands,
                         const Layouts& layouts, const std::function<int64_t(Value)>& present,
                         const CompileOptions& options) {
  const Node& root = graph.nodes()[static_cast<size_t>(cluster.nodes[0])];
  const auto request = [&](const Placement& placement) {
    return KernelRequest{
        graph,          cluster, operands.inputs, operands.outputs, placement.inputs, placement.outputs,
        options.threads};
  };
  if (is_control(root)) {
    Placement placement = around_control(graph, root, operands, layouts, present);
    return {make_control(request(placement), options), std::move(placement)};
  }
  if (!is_contraction(root)) {
    Placement placement = around_cluster(graph, cluster, operands, layouts);
    return {make_kernel(request(placement)), std::move(placement)};
  }
  if (contractions_in(graph, cluster).size() > 1) {
    Placement placement = around_expansion(root, operands);
    return {make_expansion(request(placement)), std::move(placement)};
  }
  if (runs_on_integers(graph, root)) {
    Placement placement = root.op->name == "dot_general"
                              ? all_row_major(operands)
                              : around_convolution(graph, root, operands, layouts, present);
    return {make_integer_contraction(request(placement)), std::move(placement)};
  }
  if (root.op->name == "dot_general") {
    Placement placement = around_dot(graph, cluster, operands, layouts, present);
    if (auto kernel = make_matmul(request(placement))) return {std::move(kernel), std::move(placement)};
  } else if (convolution_of(graph, root)) {
    Placement placement = around_convolution(graph, root, operands, layouts, present);
    if (auto kernel = make_convolution(request(placement), options.deterministic))
      return {std::move(kernel), std::move(placement)};
  }
  Placement placement = all_row_major(operands);
  return {make_contraction(request(placement)), std::move(placement)};
}

}  // namespace temper::cpu
