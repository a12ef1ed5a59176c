#pragma once
// Memory of this process and of the machine, in bytes.
#include <cstdint>

namespace temper {

int64_t peak_rss_bytes();          // the most that was resident at once; 0 if the system does not say
int64_t available_memory_bytes();  // what can still be used without swapping, within the cgroup's limit

}  // namespace temper
