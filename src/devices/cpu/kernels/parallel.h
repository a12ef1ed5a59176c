#pragma once
// Work shares on the OpenMP team of the caller. What a task is depends on shapes alone, never on the team.
#include <omp.h>

#include <cstdint>

namespace temper::cpu {

inline int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Calls range(begin, end, member) over [0, tasks) on the team; in place if `work` (about: elements touched)
// is small. member: which of the launch's own team does it, for memory of its own. OpenMP's number of a
// thread is another one where launches of several bodies run side by side.
template <class Range>
void parallel_by_member(int64_t tasks, int64_t work, Range&& range) {
  constexpr int64_t kWorthwhile = 16384;
  if (tasks <= 0) return;
  if (tasks == 1 || work < kWorthwhile) {
    range(int64_t{0}, tasks, int64_t{0});
    return;
  }
#pragma omp parallel
  {
    const int64_t team = omp_get_num_threads(), member = omp_get_thread_num();
    const int64_t begin = tasks * member / team, end = tasks * (member + 1) / team;
    if (begin < end) range(begin, end, member);
  }
}

template <class Range>
void parallel_ranges(int64_t tasks, int64_t work, Range&& range) {
  parallel_by_member(tasks, work, [&](int64_t begin, int64_t end, int64_t) { range(begin, end); });
}

template <class Task>
void parallel_tasks(int64_t tasks, int64_t work, Task&& task) {
  parallel_ranges(tasks, work, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) task(i);
  });
}

}  // namespace temper::cpu
