#pragma once
// What fusion brought: for people, and for choosing.
#include <string>
#include <vector>

#include "target/target.h"

namespace temper {

// Nodes that one launch computes, or the rounds of one body over parts of a batch, and the traffic that this
// spares: every node by itself would read its operands from memory and write its results there.
struct FusedLaunch {
  std::string kind, name;  // "conv2d+max", "in_parts x 32"; the last node's
  int nodes = 0;
  int64_t bytes_apart = 0, bytes_fused = 0;
  int64_t bytes_saved() const { return bytes_apart - bytes_fused; }
};

// Of the program's clusters, those of more than one node, in their order. What several repeat counts once.
std::vector<FusedLaunch> fused_launches(const Program& program);

}  // namespace temper
