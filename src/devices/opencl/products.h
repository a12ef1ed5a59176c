#pragma once
// How this device computes contractions: tiles with vectors on processors, tiles in local memory elsewhere.
#include "codegen/product.h"
#include "target/target.h"

namespace temper::opencl {

// Kernels of single nodes on this device: contractions in tiles where that is faster, else as codegen has
// them.
std::vector<KernelStep> kernels_of(const TargetFacts& facts, const Graph& graph, const Node& node);

// For processors: an item computes a tile with vectors; B's part is packed in its own memory.
struct VectorTile {
  int width = 16;  // numbers of a vector
  int rows = 64, columns = 64, inner = 128;
  int unrolled = 8;  // rows at once, by two vectors
};
KernelText vector_kernel(const Product& product, const VectorTile& tile);

}  // namespace temper::opencl
