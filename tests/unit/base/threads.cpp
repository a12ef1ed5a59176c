#include "base/threads.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <stdexcept>
#include <vector>

#include "base/cgroup.h"
#include "support/temporary_folder.h"

namespace temper {
namespace {

class Threads : public testing::Test {
 protected:
  ~Threads() override { set_team_size(available_threads()); }
};

TEST_F(Threads, CoverEveryIndexOnce) {
  for (const int threads : {1, 2, 5}) {
    set_team_size(threads);
    EXPECT_EQ(team_size(), threads);
    for (const int64_t count : {0, 1, 7, 100, 1001}) {
      std::vector<int> ranges(static_cast<size_t>(count)), each(static_cast<size_t>(count));
      std::atomic<int> calls = 0;
      parallel_for(count, 10, [&](int64_t begin, int64_t end) {
        ++calls;
        for (int64_t i = begin; i < end; ++i) ++ranges[static_cast<size_t>(i)];
      });
      parallel_for_each(count, [&](int64_t i) { ++each[static_cast<size_t>(i)]; });
      EXPECT_EQ(ranges, std::vector<int>(static_cast<size_t>(count), 1));
      EXPECT_EQ(each, ranges);
      EXPECT_LE(calls, std::max<int64_t>(1, (count + 9) / 10));
      EXPECT_LE(calls, threads);
    }
  }
}

TEST_F(Threads, RunTogetherUpToTheTeam) {
  set_team_size(3);
  std::atomic<int> arrived = 0;
  parallel_for(3, 1, [&](int64_t, int64_t) {
    ++arrived;
    while (arrived < 3) {
    }
  });
  EXPECT_EQ(arrived, 3);
}

TEST_F(Threads, NestedLoopsAreSerial) {
  set_team_size(2);
  std::atomic<int64_t> sum = 0;
  parallel_for(2, 1, [&](int64_t, int64_t) {
    parallel_for(10, 1, [&](int64_t begin, int64_t end) { sum += end - begin == 10 ? 1 : 100; });
    parallel_for_each(3, [&](int64_t) { sum += 10; });
  });
  EXPECT_EQ(sum, 62);
}

TEST_F(Threads, RethrowTheError) {
  set_team_size(2);
  EXPECT_THROW(parallel_for(8, 1, [](int64_t, int64_t) { throw std::runtime_error("x"); }),
               std::runtime_error);
  EXPECT_THROW(parallel_for_each(8,
                                 [](int64_t i) {
                                   if (i == 5) throw std::runtime_error("x");
                                 }),
               std::runtime_error);
}

TEST(Cgroup, Version2TakesTheTightestAbove) {
  const TemporaryFolder folder;
  const std::string membership = folder.write("self", "0::/a/b\n");
  folder.write("root/cpu.max", "max 100000\n");
  folder.write("root/a/cpu.max", "150000 100000\n");
  folder.write("root/a/b/cpu.max", "400000 100000\n");
  folder.write("root/a/memory.max", "1000000\n");
  folder.write("root/a/memory.current", "700000\n");
  folder.write("root/a/memory.stat", "anon 5\ninactive_file 200000\n");
  folder.write("root/a/b/memory.max", "max\n");
  folder.write("root/a/b/memory.current", "1\n");
  const CgroupLimits limits = cgroup_limits((folder.path() / "root").string(), membership);
  EXPECT_EQ(limits.cpus, 1.5);
  EXPECT_EQ(limits.free_memory, 500000);
}

TEST(Cgroup, Version1AndAPathThatIsNotMounted) {
  const TemporaryFolder folder;
  const std::string membership =
      folder.write("self", "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n2:pids:/\nbroken\n");
  folder.write("root/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
  folder.write("root/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  folder.write("root/memory/memory.limit_in_bytes", "500\n");
  folder.write("root/memory/memory.usage_in_bytes", "600\n");
  const CgroupLimits limits = cgroup_limits((folder.path() / "root").string(), membership);
  EXPECT_EQ(limits.cpus, 2.0);
  EXPECT_EQ(limits.free_memory, 0);
}

TEST(Cgroup, NoLimits) {
  const CgroupLimits none = cgroup_limits("/nowhere", "/nowhere/self");
  EXPECT_EQ(none.cpus, std::nullopt);
  EXPECT_EQ(none.free_memory, std::nullopt);
}

}  // namespace
}  // namespace temper
