#pragma once
// The reference: a whole graph in double, composites by their decomposition, rounded once at the outputs.
// What a device computes is right if it agrees with this within the op's tolerance.
#include "ops/evaluate.h"

namespace temper {

// inputs: host tensors in the graph's order, of the types of a static graph. Error invalid if they differ.
std::vector<Tensor> interpret(const Graph& graph, std::span<const Tensor> inputs,
                              Rounding rounding = Rounding::none);

}  // namespace temper
