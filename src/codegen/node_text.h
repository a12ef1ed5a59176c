#pragma once
// Nodes that no tape holds, as kernels in C-like source: moves, reads and writes at places that are values,
// windows, sorting, plain contractions. Static shapes.
#include <optional>

#include "codegen/kernel_writer.h"
#include "ir/graph.h"

namespace temper {

struct KernelStep {
  KernelText kernel;
  std::vector<int> operands;  // those it reads, then those it writes: positions among the node's inputs, then
  size_t reads = 0;           // its outputs; how many it reads
};

// In order; empty if there are none for this op.
std::vector<KernelStep> node_kernels(const Graph& graph, const Node& node);
bool has_node_kernels(const Node& node);

// The rows of one family of ops.
struct NodePrinter {
  std::string_view op;
  std::vector<KernelStep> (*print)(const Graph&, const Node&);
};
std::span<const NodePrinter> move_kernels();
std::span<const NodePrinter> index_kernels();
std::span<const NodePrinter> window_kernels();
std::span<const NodePrinter> contraction_kernels();

// One kernel that reads all inputs of the node and writes all its outputs.
std::vector<KernelStep> whole_step(const Node& node, KernelText kernel);
int64_t largest_of(const Graph& graph, const Node& node);  // elements of an operand or result
std::vector<DType> raw_dtypes(const Graph& graph, const Node& node);

}  // namespace temper
