#pragma once
#include "launches/machine.h"

namespace temper::launches {

// Builds the program's kernels. Error exhausted if the memory limit cannot be kept.
std::unique_ptr<Executable> make_executable(Device& device, std::shared_ptr<Machine> machine,
                                            const Vendor& vendor, std::shared_ptr<const Program> program);

}  // namespace temper::launches
