#pragma once
// Any OpenCL 1.2 device, through the ICD loader: `opencl`, `opencl:N` for the N-th of all platforms' devices.
#include "launches/vendor.h"
#include "runtime/registry.h"

namespace temper::opencl {

const Target& opencl_target();
DeviceKind opencl_device();
const Dialect& opencl_c();
const launches::Vendor& opencl_vendor();

}  // namespace temper::opencl
