#pragma once
// An OpenCL loader whose functions all fail, but for those that a fake defines: UNUSED(name) for the others.
#include "devices/opencl/api.h"

namespace temper::opencl {
inline constexpr Status kNotHere = -59;  // invalid operation
}  // namespace temper::opencl

#define UNUSED(name) \
  extern "C" temper::opencl::Status name() { return temper::opencl::kNotHere; }
