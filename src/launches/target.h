#pragma once
// The target of devices that run generated kernels: claim and compile.
#include "launches/vendor.h"

namespace temper::launches {

// Every primitive as a kernel but of packed types and 8-bit floats, which only moves take. The fact `f64`
// says whether there is f64; composites are decomposed but for those that a map computes.
Claim claim(const TargetFacts& facts, const Graph& graph, const Node& node);

// The code is the source of all kernels.
Program compile(const Vendor& vendor, const TargetFacts& facts, const Graph& graph,
                const CompileOptions& options);

}  // namespace temper::launches
