#pragma once
// Counts allocations of this process between start and stop, those inside oneDNN aside.
#include <cstdint>

namespace temper {

void start_counting_allocations();
int64_t stop_counting_allocations();
bool can_count_allocations();  // not under a sanitizer, which has its own allocator

}  // namespace temper
