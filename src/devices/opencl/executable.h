#pragma once
#include "devices/opencl/driver.h"
#include "runtime/device.h"

namespace temper::opencl {

// Builds the program's kernels. Error exhausted if the memory limit cannot be kept.
std::unique_ptr<Executable> make_executable(Device& device, std::shared_ptr<Driver> driver,
                                            std::shared_ptr<const Program> program);

}  // namespace temper::opencl
