#pragma once
// Counts what this process takes from the allocator and the kernel between start and stop. A program that
// links test_allocations has malloc, its kin and mmap replaced.
#include <cstdint>

namespace temper {

struct Allocations {
  int64_t own = 0;          // by malloc and its kin, outside oneDNN
  int64_t onednn = 0;       // the same inside oneDNN: each call of a primitive makes a table of its arguments
  int64_t onednn_most = 0;  // bytes of the largest of those
  int64_t mapped = 0;       // calls of mmap, whoever made them
};

void start_counting_allocations();
Allocations stop_counting_allocations();
bool can_count_allocations();  // not under a sanitizer, which has its own allocator

}  // namespace temper
