#pragma once
// Control flow: a region is a plan of its own whose arena lies in the scratch of the launch.
#include "devices/cpu/kernel.h"

namespace temper::cpu {

bool is_control(const Node& node);  // has regions
Claim claim_control(const Graph& graph, const Node& node);

// Rounds of a scan that pass nothing on run side by side, each on a thread of its own, and so do parts: the
// threads for one.
int threads_of_body(const Node& node, int threads);
// True for operands that a region takes as they lie: what a scan or parts of a batch capture.
bool takes_any_layout(const Node& node, size_t operand);
// Parts of a batch: whether an operand is cut, a result joined. Their samples lie channels-last, as pictures
// do.
bool is_cut(const Node& node, size_t operand);
bool is_joined(const Node& node, size_t result);
// The layouts in which the region of a scan or of parts wants its inputs; as Layouts::Known.
std::vector<int64_t> wanted_layouts(const Node& node, int threads, bool may_fill, bool may_transform);

// scan, in_parts, cond and while_loop.
std::unique_ptr<Kernel> make_control(const KernelRequest& request, const CompileOptions& options);

}  // namespace temper::cpu
