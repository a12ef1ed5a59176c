#pragma once
// Control flow: a region is a plan of its own whose arena lies in the scratch of the launch.
#include "devices/cpu/kernel.h"

namespace temper::cpu {

bool is_control(const Node& node);  // has regions
Claim claim_control(const Graph& graph, const Node& node);

// Rounds of a scan that pass nothing on run side by side, each on a thread of its own: the threads for one.
int threads_of_body(const Node& node, int threads);
// True for operands that a region takes as they lie: what a scan captures. The others are row-major.
bool takes_any_layout(const Node& node, size_t operand);
// The layouts in which the region of a scan wants its inputs.
std::vector<int64_t> wanted_layouts(const Node& scan, int threads);

// scan, cond and while_loop.
std::unique_ptr<Kernel> make_control(const KernelRequest& request, const CompileOptions& options);

}  // namespace temper::cpu
