#pragma once
// Control flow: a region is a plan of its own whose arena lies in the scratch of the launch.
#include "devices/cpu/kernel.h"

namespace temper::cpu {

bool is_control(const Node& node);  // has regions
Claim claim_control(const Graph& graph, const Node& node);

// scan, cond and while_loop, everything row-major.
std::unique_ptr<Kernel> make_control(const KernelRequest& request, const CompileOptions& options);

}  // namespace temper::cpu
