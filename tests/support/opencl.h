#pragma once
// The OpenCL device that tests run on: PoCL, this processor, from Debian's pocl-opencl-icd.
#include <string>

namespace temper {

// Empty if the loader and PoCL are here. What PoCL compiles is kept in a folder of the build's.
std::string why_no_opencl();

}  // namespace temper
