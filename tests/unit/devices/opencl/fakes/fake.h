#pragma once
// For OpenCL loaders that do next to nothing.
#include "devices/opencl/api.h"

namespace temper::opencl {
inline constexpr Status kNotHere = -59;  // invalid operation
}  // namespace temper::opencl

#define UNUSED(name) \
  extern "C" temper::opencl::Status name() { return temper::opencl::kNotHere; }

// All but clGetPlatformIDs and clGetDeviceIDs.
#define UNUSED_CALLS                \
  UNUSED(clGetPlatformInfo)         \
  UNUSED(clGetDeviceInfo)           \
  UNUSED(clCreateContext)           \
  UNUSED(clReleaseContext)          \
  UNUSED(clCreateCommandQueue)      \
  UNUSED(clReleaseCommandQueue)     \
  UNUSED(clCreateBuffer)            \
  UNUSED(clReleaseMemObject)        \
  UNUSED(clCreateProgramWithSource) \
  UNUSED(clCreateProgramWithBinary) \
  UNUSED(clBuildProgram)            \
  UNUSED(clGetProgramBuildInfo)     \
  UNUSED(clGetProgramInfo)          \
  UNUSED(clReleaseProgram)          \
  UNUSED(clCreateKernel)            \
  UNUSED(clSetKernelArg)            \
  UNUSED(clReleaseKernel)           \
  UNUSED(clEnqueueNDRangeKernel)    \
  UNUSED(clEnqueueReadBuffer)       \
  UNUSED(clEnqueueWriteBuffer)      \
  UNUSED(clEnqueueCopyBuffer)       \
  UNUSED(clEnqueueFillBuffer)       \
  UNUSED(clFinish)
