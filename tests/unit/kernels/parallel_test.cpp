// How launches share their work.
#include "devices/cpu/kernels/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace temper::cpu {
namespace {

constexpr int64_t kLittle = 1, kMuch = 1 << 20;

TEST(Parallel, DoesEveryTaskOnce) {
  for (const int64_t tasks : {0, 1, 2, 7, 1000})
    for (const int64_t work : {kLittle, kMuch}) {
      std::vector<std::atomic<int>> done(static_cast<size_t>(tasks));
      parallel_tasks(tasks, work, [&](int64_t task) { ++done[static_cast<size_t>(task)]; });
      for (const auto& times : done) EXPECT_EQ(times, 1) << tasks << " tasks";
    }
}

// Memory for each member holds for the launch's team: of one thread where bodies run side by side, whatever
// the number of the thread that runs this one.
TEST(Parallel, MembersAreThoseOfTheInnerTeam) {
  std::atomic<int64_t> highest = 0, ran = 0;
#pragma omp parallel num_threads(4)
  for (const int64_t tasks : {1, 8})
    for (const int64_t work : {kLittle, kMuch})
      parallel_by_member(tasks, work, [&](int64_t begin, int64_t end, int64_t member) {
        ran += end - begin;
        int64_t known = highest;
        while (member > known && !highest.compare_exchange_weak(known, member)) {
        }
      });
  EXPECT_EQ(highest, 0);
  EXPECT_EQ(ran, 4 * 2 * (1 + 8));
}

}  // namespace
}  // namespace temper::cpu
