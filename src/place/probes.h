#pragma once
// Small programs that a device is calibrated by: the layers of networks in many sizes, none of them a
// network's own.
#include <string>
#include <vector>

#include "ir/graph.h"

namespace temper {

struct Probe {
  std::string name;
  Graph graph;
  bool infers = true;  // all of its arguments lie as it alone wants them
  bool cold = false;   // also run after other memory was read, so that no cache holds its operands
};

std::vector<Probe> probes();

// y = x + 1 of so many f32: what touching memory takes.
Graph sum_probe(int64_t elements);

}  // namespace temper
