#pragma once
// Groups maps, and the reductions that read them, into clusters that a tape computes in one pass over memory.
#include "codegen/tape.h"

namespace temper {

// Every node that is not `taken` stands in a cluster, all of them tapes: maps, views, reductions. Maps of one
// shape that feed each other share a cluster wherever no cycle arises. A view (broadcast, iota) stands in
// every cluster that reads it, and has a cluster of its own only if something else reads it too.
std::vector<Cluster> fuse_maps(const Graph& graph, const std::vector<bool>& taken);

}  // namespace temper
