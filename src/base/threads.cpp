#include "base/threads.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "base/cgroup.h"
#include "base/check.h"

namespace temper {
namespace {

std::atomic<int> wanted_team_size = 0;  // 0: not set

int affinity_threads() {
  for (int processors = 1024; processors <= (1 << 20); processors *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(processors));
    if (!set) break;
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(processors));
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// Keeps the first exception of a team; none may leave an OpenMP region.
class FirstError {
 public:
  template <class Function>
  void guard(Function&& function) {
    try {
      function();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
};

}  // namespace

int available_threads() {
  const int processors = affinity_threads();
  const double quota = cgroup_limits().cpus.value_or(processors);
  // Rounded down: a team that is throttled waits for its slowest.
  return std::clamp(static_cast<int>(std::min<double>(quota, processors)), 1, processors);
}

int team_size() {
  const int wanted = wanted_team_size.load(std::memory_order_relaxed);
  if (wanted > 0) return wanted;
  static const int available = available_threads();
  return available;
}

void set_team_size(int threads) {
  TEMPER_CHECK(threads >= 1, threads);
  wanted_team_size = threads;
  omp_set_num_threads(threads);
}

void parallel_for(int64_t count, int64_t grain, FunctionRef<void(int64_t begin, int64_t end)> body) {
  TEMPER_CHECK(grain >= 1, grain);
  if (count <= 0) return;
  const int64_t ranges = omp_in_parallel() ? 1 : std::min<int64_t>(team_size(), (count + grain - 1) / grain);
  if (ranges == 1) return body(0, count);
  const int64_t length = (count + ranges - 1) / ranges;
  FirstError error;
#pragma omp parallel for num_threads(static_cast<int>(ranges)) schedule(static)
  for (int64_t i = 0; i < ranges; ++i) {
    const int64_t begin = std::min(count, i * length), end = std::min(count, begin + length);
    if (begin < end) error.guard([&] { body(begin, end); });
  }
  error.rethrow();
}

void parallel_for_each(int64_t count, FunctionRef<void(int64_t i)> body) {
  if (count <= 0) return;
  const int64_t threads = omp_in_parallel() ? 1 : std::min<int64_t>(team_size(), count);
  FirstError error;
#pragma omp parallel for num_threads(static_cast<int>(threads)) schedule(dynamic, 1) if (threads > 1)
  for (int64_t i = 0; i < count; ++i) error.guard([&] { body(i); });
  error.rethrow();
}

}  // namespace temper
