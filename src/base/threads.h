#pragma once
// The one OpenMP team that computes. oneDNN shares it.
#include <cstdint>

#include "base/function_ref.h"

namespace temper {

int available_threads();  // processors this process may use: affinity mask and cgroup quota, at least 1

// The team's size: available_threads() until set. Set it from the thread that will compute, before it does:
// OpenMP keeps the size that oneDNN sees per thread.
int team_size();
void set_team_size(int threads);

// Calls body(begin, end) on disjoint ranges that cover [0, count), each of at least `grain` indices but the
// last, one range per thread at most. Inside a team, serial. The first exception is rethrown when all ranges
// are done.
void parallel_for(int64_t count, int64_t grain, FunctionRef<void(int64_t begin, int64_t end)> body);

// Calls body(i) for each i in [0, count), one at a time as threads become free: for work of uneven length.
void parallel_for_each(int64_t count, FunctionRef<void(int64_t i)> body);

}  // namespace temper
