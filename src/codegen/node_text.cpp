#include "codegen/node_text.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "ir/op.h"

namespace temper {

static const NodePrinter* printer_of(const Node& node) {
  for (const auto family : {move_kernels(), index_kernels(), window_kernels(), contraction_kernels()})
    for (const NodePrinter& printer : family)
      if (printer.op == node.op->name) return &printer;
  return nullptr;
}

bool has_node_kernels(const Node& node) { return printer_of(node) != nullptr; }

std::vector<KernelStep> node_kernels(const Graph& graph, const Node& node) {
  const NodePrinter* const printer = printer_of(node);
  return printer ? printer->print(graph, node) : std::vector<KernelStep>{};
}

std::vector<KernelStep> whole_step(const Node& node, KernelText kernel) {
  KernelStep step{std::move(kernel), std::vector<int>(node.inputs.size() + node.outputs.size()),
                  node.inputs.size()};
  std::iota(step.operands.begin(), step.operands.end(), 0);
  std::vector<KernelStep> steps;
  steps.push_back(std::move(step));
  return steps;
}

int64_t largest_of(const Graph& graph, const Node& node) {
  int64_t largest = 0;
  for (const Value input : node.inputs) largest = std::max(largest, graph.type(input).shape.elements());
  for (const Type& output : node.outputs) largest = std::max(largest, output.shape.elements());
  return largest;
}

std::vector<DType> raw_dtypes(const Graph& graph, const Node& node) {
  std::vector<DType> dtypes;
  for (const Value input : node.inputs) dtypes.push_back(raw_dtype(graph.type(input).dtype));
  return dtypes;
}

}  // namespace temper
