#pragma once
// A cluster as a kernel: which layouts it is given, and who makes it.
#include <functional>

#include "devices/cpu/layouts.h"

namespace temper::cpu {

struct Placement {
  std::vector<int64_t> inputs, outputs;  // layouts, as Operands
};

struct LaunchKernel {
  std::unique_ptr<Kernel> kernel;
  Placement placement;
};

// `present` says in which layout a value lies in memory already.
LaunchKernel make_launch(const Graph& graph, const Cluster& cluster, const Operands& operands,
                         const Layouts& layouts, const std::function<int64_t(Value)>& present,
                         const CompileOptions& options);

}  // namespace temper::cpu
