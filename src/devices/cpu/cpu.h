#pragma once
// The processor this program runs on.
#include "runtime/registry.h"

namespace temper::cpu {

TargetFacts host_facts();  // instruction set, threads, memory of this machine
const Target& cpu_target();
DeviceKind cpu_device();

}  // namespace temper::cpu
