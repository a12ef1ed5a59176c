#pragma once
// Memory of this process and of the machine, in bytes.
#include <cstdint>

namespace temper {

int64_t resident_bytes();          // of this process, now; 0 if the system does not say
int64_t peak_rss_bytes();          // the most that was resident at once; 0 if the system does not say
int64_t available_memory_bytes();  // what can still be used without swapping, within the cgroup's limit

// Asks for pages of 2 MB where a block covers them, before it is touched: big tensors then miss the address
// cache less. A hint that a system may ignore.
void prefer_large_pages(void* block, int64_t bytes);

}  // namespace temper
