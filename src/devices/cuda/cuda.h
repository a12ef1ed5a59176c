#pragma once
// NVIDIA's GPUs through the driver's API: `cuda`, `cuda:N` for the N-th that the driver counts.
#include "launches/vendor.h"
#include "runtime/registry.h"

namespace temper::cuda {

const Target& cuda_target();
DeviceKind cuda_device();
const Dialect& cuda_c();
const launches::Vendor& cuda_vendor();

}  // namespace temper::cuda
