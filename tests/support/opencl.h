#pragma once
// The OpenCL device that tests run on: PoCL, this processor, from Debian's pocl-opencl-icd.
#include <gtest/gtest.h>

#include <string>

namespace temper {

// Empty if the loader and PoCL are here. What PoCL compiles is kept in a folder of the build's.
std::string why_no_opencl();

}  // namespace temper

#define TEMPER_NEED_OPENCL()                                                                            \
  do {                                                                                                  \
    if (const std::string why = temper::why_no_opencl(); !why.empty())                                  \
      GTEST_SKIP() << "skipped, because there is no OpenCL device: ./run install test (" << why << ")"; \
  } while (false)
