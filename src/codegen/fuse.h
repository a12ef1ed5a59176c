#pragma once
// Groups maps, and the reductions that read them, into clusters that a tape computes in one pass over memory.
#include <limits>

#include "codegen/tape.h"

namespace temper {

// Every node that is not `taken` and is needed stands in a cluster, all of them tapes: maps, views,
// reductions. Maps of one shape that feed each other share a cluster wherever no cycle arises. What is cheap
// to compute again is repeated by its readers if that saves memory traffic: views (broadcast, iota) always,
// maps where their operands are read anyway or are no more than what is saved. None reads and writes more
// than `max_operands` tensors, which must be enough for each node alone.
std::vector<Cluster> fuse_maps(const Graph& graph, const std::vector<bool>& taken,
                               size_t max_operands = std::numeric_limits<size_t>::max());

}  // namespace temper
