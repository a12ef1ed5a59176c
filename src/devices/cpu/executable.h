#pragma once
// A loaded Program: its plan, run by any number of contexts.
#include "devices/cpu/plan.h"

namespace temper::cpu {

std::unique_ptr<Executable> make_executable(Device& device, std::shared_ptr<const Program> program);

}  // namespace temper::cpu
