#pragma once
// Which contractions cuBLASLt computes, and what it does to their results at once; the rest is computed in
// tiles of our own.
#include "codegen/product.h"
#include "launches/vendor.h"

namespace temper::cuda {

// Z = X Y, then a bias for each column and max(Z, 0) if they are asked for. Operands: A, B and the bias.
struct ProductCall : launches::LibraryCall {
  Product product;
  int64_t a_stride = 0, b_stride = 0;  // from group to group
  bool bias = false, relu = false;
};

// None if the facts say that there is no cuBLASLt (no fact `cublaslt`).
std::vector<std::shared_ptr<const launches::LibraryCall>> library_products(const TargetFacts& facts,
                                                                           const Graph& graph);

bool goes_to_library(const TargetFacts& facts, const Graph& graph, const Node& node);

std::vector<KernelStep> kernels_of(const TargetFacts& facts, const Graph& graph, const Node& node);

}  // namespace temper::cuda
