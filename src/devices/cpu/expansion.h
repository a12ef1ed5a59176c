#pragma once
// A convolution of 1 x 1 windows that makes many channels of few, and the depthwise one that reads them
// (MobileNetV2's large pictures): one kernel, so that what is between stays in the nearest cache.
#include "devices/cpu/kernel.h"

namespace temper::cpu {

// Whether `second`, which alone reads what `first` makes, joins it. Both as grow_cluster made them.
bool is_expansion(const Graph& graph, const Cluster& first, const Cluster& second);

// Pictures lie channels-last, all else row-major. The bits of the result do not depend on the threads.
std::unique_ptr<Kernel> make_expansion(const KernelRequest& request);

}  // namespace temper::cpu
