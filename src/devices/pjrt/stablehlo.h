#pragma once
// A legal graph as StableHLO text in MLIR's generic form, which needs no MLIR to write.
#include <string>

#include "ir/graph.h"

namespace temper::pjrt {

// A module whose function `main` takes the graph's inputs and gives its outputs in order; donated inputs
// carry tf.aliasing_output. Every node is one that `why_not` has nothing against; shapes are static.
std::string stablehlo_text(const Graph& graph);

// Why a node cannot be written, for people; empty if it can. Regions are not looked into.
std::string why_not(const Graph& graph, const Node& node);

}  // namespace temper::pjrt
