#include "devices/opencl/products.h"

namespace temper::opencl {

std::vector<KernelStep> kernels_of(const TargetFacts&, const Graph& graph, const Node& node) {
  return node_kernels(graph, node);
}

}  // namespace temper::opencl
