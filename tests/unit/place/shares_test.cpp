#include "place/shares.h"

#include <gmock/gmock.h>

#include <atomic>
#include <numeric>

#include "support/expect_error.h"

namespace temper {
namespace {

// Items by worker, where an item of worker w takes seconds[w] of a clock of the test's own.
std::vector<int64_t> simulate(WorkShares& shares, const std::vector<double>& seconds, int64_t items) {
  shares.start(items);
  std::vector<double> free_at(seconds.size(), 0);
  std::vector<int64_t> done(seconds.size());
  std::vector<bool> through(seconds.size());
  double end = 0;
  while (!std::ranges::all_of(through, [](bool x) { return x; })) {
    size_t next = seconds.size();
    for (size_t w = 0; w < seconds.size(); ++w)
      if (!through[w] && (next == seconds.size() || free_at[w] < free_at[next])) next = w;
    if (free_at[next] > 0) shares.finished(next, seconds[next]);
    if (!shares.next(next)) {
      through[next] = true;
      continue;
    }
    ++done[next];
    free_at[next] += seconds[next];
    end = std::max(end, free_at[next]);
  }
  EXPECT_EQ(std::accumulate(done.begin(), done.end(), int64_t{0}), items);
  EXPECT_LE(end, seconds[0] * static_cast<double>(items)) << "worse than the first alone";
  return done;
}

TEST(WorkShares, GoByMeasuredSpeed) {
  WorkShares shares(2);
  const std::vector<int64_t> done = simulate(shares, {1, 3}, 40);
  EXPECT_NEAR(static_cast<double>(done[0]), 30, 1);
  EXPECT_EQ(shares.taken(0), done[0]);
}

// The last item is not for the one whom all would wait for.
TEST(WorkShares, ASlowOneLeavesTheEndToTheOthers) {
  WorkShares shares(2);
  EXPECT_THAT(simulate(shares, {1, 30}, 40), testing::ElementsAre(39, 1));
  EXPECT_THAT(simulate(shares, {1, 30}, 20), testing::ElementsAre(20, 0)) << "its speed is known by now";
}

TEST(WorkShares, EqualOnesShareEqually) {
  WorkShares shares(3);
  EXPECT_THAT(simulate(shares, {1, 1, 1}, 30), testing::ElementsAre(10, 10, 10));
  EXPECT_THAT(simulate(shares, {1, 1, 1}, 1), testing::ElementsAre(1, 0, 0));
}

TEST(ShareWork, TakesAndConsumesInOrder) {
  WorkShares shares(3);
  std::vector<int64_t> taken, consumed;
  std::vector<std::atomic<int>> worked(100);
  share_work(shares, 3, 100,
             {.take =
                  [&](size_t, int64_t item) {
                    taken.push_back(item);
                    return true;
                  },
              .work = [&](size_t, int64_t item) { ++worked[static_cast<size_t>(item)]; },
              .consume = [&](int64_t item) { consumed.push_back(item); }});
  std::vector<int64_t> all(100);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(taken, all);
  EXPECT_EQ(consumed, all);
  for (const std::atomic<int>& times : worked) EXPECT_EQ(times, 1);
}

TEST(ShareWork, EndsWhereNothingIsLeftToTake) {
  WorkShares shares(2);
  std::vector<int64_t> consumed;
  share_work(shares, 2, 100,
             {.take = [&](size_t, int64_t item) { return item < 7; },
              .work = [](size_t, int64_t) {},
              .consume = [&](int64_t item) { consumed.push_back(item); }});
  EXPECT_THAT(consumed, testing::ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

TEST(ShareWork, AnErrorStopsAll) {
  std::atomic<int64_t> worked = 0;
  const auto fail_at_5 = [&](size_t workers) {
    WorkShares shares(workers);
    share_work(shares, workers, 1000, {.work = [&](size_t, int64_t item) {
                 ++worked;
                 if (item == 5) throw Error(ErrorKind::device, "it is gone");
               }});
  };
  expect_error(ErrorKind::device, "it is gone", [&] { fail_at_5(1); });
  EXPECT_EQ(worked, 6);
  expect_error(ErrorKind::device, "it is gone", [&] { fail_at_5(2); });
  WorkShares shares(2);
  expect_error(ErrorKind::invalid, "enough", [&] {
    share_work(shares, 2, 1000,
               {.work = [](size_t, int64_t) {},
                .consume =
                    [](int64_t item) {
                      if (item == 3) throw Error(ErrorKind::invalid, "enough");
                    }});
  });
}

}  // namespace
}  // namespace temper
