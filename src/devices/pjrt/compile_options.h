#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace temper::pjrt {

// XLA's CompileOptionsProto for a replica on each of the devices with these ids. Without counts of replicas
// and partitions a plug-in aborts the process; without an assignment the program runs on its first devices.
std::string compile_options(std::span<const int64_t> devices);

}  // namespace temper::pjrt
