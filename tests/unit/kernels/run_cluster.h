#pragma once
// Runs a graph of one cluster by its kernel alone, in a layout of choice.
#include <vector>

#include "ir/builder.h"

namespace temper {

// Operands of the cluster's highest rank, if that is 3 or more, lie in `layout`. Inputs and results
// row-major.
std::vector<Tensor> run_cluster(const Graph& graph, std::span<const Tensor> inputs, int64_t layout,
                                int threads);

// Values that look random and are the same everywhere: floats in [-1, 1), integers in [-8, 8).
Tensor filled(const Type& type, uint64_t seed);

}  // namespace temper
