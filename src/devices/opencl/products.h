#pragma once
// Kernels of single nodes on this device: contractions in tiles where that is faster, else as codegen has them.
#include "codegen/node_text.h"
#include "target/target.h"

namespace temper::opencl {

std::vector<KernelStep> kernels_of(const TargetFacts& facts, const Graph& graph, const Node& node);

}  // namespace temper::opencl
