#pragma once
// Work shares on the OpenMP team of the caller. What a task is depends on shapes alone, never on the team.
#include <omp.h>

#include <cstdint>

namespace temper::cpu {

// Calls range(begin, end) over [0, tasks) on the team; in place if `work` (about: elements touched) is small.
template <class Range>
void parallel_ranges(int64_t tasks, int64_t work, Range&& range) {
  constexpr int64_t kWorthwhile = 16384;
  if (tasks <= 0) return;
  if (tasks == 1 || work < kWorthwhile) {
    range(int64_t{0}, tasks);
    return;
  }
#pragma omp parallel
  {
    const int64_t team = omp_get_num_threads(), member = omp_get_thread_num();
    const int64_t begin = tasks * member / team, end = tasks * (member + 1) / team;
    if (begin < end) range(begin, end);
  }
}

template <class Task>
void parallel_tasks(int64_t tasks, int64_t work, Task&& task) {
  parallel_ranges(tasks, work, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) task(i);
  });
}

}  // namespace temper::cpu
