#include <gtest/gtest.h>

#include <algorithm>

#include "passes/passes.h"

namespace temper {

namespace {

bool live_together(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

// Bytes that live at the busiest step: no plan can do with less.
int64_t floor_of(const std::vector<Lifetime>& lifetimes, int64_t alignment) {
  int64_t most = 0;
  for (const Lifetime& at : lifetimes) {
    int64_t bytes = 0;
    for (const Lifetime& other : lifetimes)
      if (other.first <= at.first && at.first <= other.last)
        bytes += (other.bytes + alignment - 1) / alignment * alignment;
    most = std::max(most, bytes);
  }
  return most;
}

void expect_sound(const std::vector<Lifetime>& lifetimes, const ArenaPlan& plan, int64_t alignment) {
  ASSERT_EQ(plan.offsets.size(), lifetimes.size());
  for (size_t i = 0; i < lifetimes.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % alignment, 0);
    EXPECT_GE(plan.offsets[i], 0);
    EXPECT_LE(plan.offsets[i] + lifetimes[i].bytes, plan.bytes);
    for (size_t j = 0; j < i; ++j) {
      if (!live_together(lifetimes[i], lifetimes[j])) continue;
      const bool apart = plan.offsets[i] + lifetimes[i].bytes <= plan.offsets[j] ||
                         plan.offsets[j] + lifetimes[j].bytes <= plan.offsets[i];
      EXPECT_TRUE(apart || lifetimes[i].bytes == 0 || lifetimes[j].bytes == 0)
          << i << " and " << j << " overlap";
    }
  }
}

}  // namespace

TEST(Arena, OfNothingIsEmpty) {
  EXPECT_EQ(plan_arena({}).bytes, 0);
  const std::vector<Lifetime> nothing{{0, 0, 3}, {0, 1, 1}};
  EXPECT_EQ(plan_arena(nothing).bytes, 0);
}

TEST(Arena, ReusesWhatIsDead) {
  const std::vector<Lifetime> chain{{640, 0, 1}, {640, 1, 2}, {640, 2, 3}, {640, 3, 4}};
  const ArenaPlan plan = plan_arena(chain);
  expect_sound(chain, plan, 64);
  EXPECT_EQ(plan.bytes, 2 * 640);
}

TEST(Arena, NeverOverlapsAndStaysNearTheFloor) {
  uint64_t state = 1;
  const auto next = [&](uint64_t range) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int64_t>((state >> 33) % range);
  };
  for (int round = 0; round < 50; ++round) {
    std::vector<Lifetime> lifetimes;
    for (int i = 0; i < 120; ++i) {
      const int first = static_cast<int>(next(100));
      lifetimes.push_back({next(5000), first, first + static_cast<int>(next(round % 2 ? 10 : 60))});
    }
    const ArenaPlan plan = plan_arena(lifetimes);
    expect_sound(lifetimes, plan, 64);
    EXPECT_LE(static_cast<double>(plan.bytes), 1.25 * static_cast<double>(floor_of(lifetimes, 64)));
  }
}

// A training step: activations live until their gradient, which is made in reverse order.
TEST(Arena, HoldsATrainingStepAtItsFloor) {
  std::vector<Lifetime> lifetimes;
  const int layers = 30;
  for (int i = 0; i < layers; ++i) lifetimes.push_back({1000 * (layers - i), i, 2 * layers - 1 - i});
  for (int i = 0; i + 1 < layers; ++i) lifetimes.push_back({1000 * (i + 1), layers + i, layers + i + 1});
  const ArenaPlan plan = plan_arena(lifetimes);
  expect_sound(lifetimes, plan, 64);
  EXPECT_LE(static_cast<double>(plan.bytes), 1.02 * static_cast<double>(floor_of(lifetimes, 64)));
}

}  // namespace temper
