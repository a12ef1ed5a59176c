#pragma once
#include <cstdint>
#include <string>

namespace temper::pjrt {

// XLA's CompileOptionsProto for one replica on the device with this id. Without counts of replicas and
// partitions a plug-in aborts the process; without an assignment the program runs on its first device.
std::string compile_options(int64_t device);

}  // namespace temper::pjrt
