#include "passes/recompute.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <random>

namespace temper {
namespace {

constexpr uint64_t kLost = ~uint64_t{0};

// What each step computes, as a number: the same steps on the same operands give the same number.
class Symbols {
 public:
  explicit Symbols(const Schedule& schedule) : schedule_(schedule) {
    for (size_t v = 0; v < schedule.values.size(); ++v)
      if (!schedule.values[v].temporary) now_[static_cast<int>(v)] = 1000 + v;
  }

  // Runs `step` on those operands; false if one of them is not there or not what it was.
  bool run(int number, const std::vector<int>& reads, const std::vector<int>& writes, bool again) {
    const ScheduleStep& step = schedule_.steps[static_cast<size_t>(number)];
    uint64_t symbol = static_cast<uint64_t>(number) + 1;
    for (const int v : reads) {
      const auto found = now_.find(v);
      if (found == now_.end() || found->second == kLost) return false;
      symbol = (symbol ^ found->second) * 0x9e3779b97f4a7c15u;
      symbol ^= symbol >> 29;
    }
    for (size_t i = 0; i < writes.size(); ++i) now_[writes[i]] = symbol + i;
    if (!again)
      for (const int v : step.reads)
        if (schedule_.values[static_cast<size_t>(v)].overwritten == number) now_[v] = kLost;
    return true;
  }
  uint64_t at(int value) const { return now_.at(value); }

 private:
  const Schedule& schedule_;
  std::map<int, uint64_t> now_;
};

std::vector<Recomputation> ways_of(const Schedule& schedule) {
  std::vector<Recomputation> ways;
  recomputations(schedule, [&](const Recomputation& way) {
    ways.push_back(way);
    return false;
  });
  return ways;
}

void expect_the_same(const Schedule& schedule, const Recomputation& way) {
  Symbols plain(schedule), found(schedule);
  const int count = static_cast<int>(schedule.values.size());
  const auto value_of = [&](int v) { return v < count ? v : way.copies[static_cast<size_t>(v - count)]; };
  int next = 0;
  for (const StepRun& run : way.runs) {
    const ScheduleStep& step = schedule.steps[static_cast<size_t>(run.step)];
    if (!run.again) {
      ASSERT_EQ(run.step, next++) << "steps keep their order";
      EXPECT_EQ(run.writes, step.writes);
      ASSERT_TRUE(plain.run(run.step, step.reads, step.writes, false));
    }
    ASSERT_EQ(run.reads.size(), step.reads.size());
    for (size_t i = 0; i < run.reads.size(); ++i) EXPECT_EQ(value_of(run.reads[i]), step.reads[i]);
    ASSERT_TRUE(found.run(run.step, run.reads, run.writes, run.again)) << "step " << run.step;
    for (size_t i = 0; i < run.writes.size(); ++i)
      EXPECT_EQ(found.at(run.writes[i]), plain.at(step.writes[i])) << "step " << run.step;
  }
  EXPECT_EQ(next, static_cast<int>(schedule.steps.size()));
}

void expect_sound(const Schedule& schedule, const std::vector<Recomputation>& ways) {
  ASSERT_FALSE(ways.empty());
  EXPECT_EQ(ways[0].runs.size(), schedule.steps.size()) << "first without any repetition";
  EXPECT_EQ(ways[0].cost, 0);
  for (size_t i = 0; i < ways.size(); ++i) {
    expect_the_same(schedule, ways[i]);
    if (i == 0) continue;
    EXPECT_LT(ways[i].peak, ways[i - 1].peak);
    EXPECT_GT(ways[i].cost, ways[i - 1].cost);
  }
}

// A chain of `layers` forward, then backward: step i of the forward part makes value i of the one before,
// its gradient reads value i and the gradient after it.
Schedule chain(int layers) {
  Schedule schedule;
  schedule.values.push_back({.bytes = 100, .temporary = false});
  for (int i = 0; i < layers; ++i) {
    schedule.values.push_back({.bytes = 1000});
    schedule.steps.push_back({.reads = {i}, .writes = {i + 1}, .cost = 1});
  }
  int gradient = layers;
  for (int i = layers; i > 0; --i) {
    schedule.values.push_back({.bytes = 1000});
    const int next = static_cast<int>(schedule.values.size()) - 1;
    schedule.steps.push_back({.reads = {i}, .writes = {next}, .cost = 2});
    if (i < layers) schedule.steps.back().reads.push_back(gradient);
    gradient = next;
  }
  return schedule;
}

TEST(Recompute, AChainInFarLessMemoryForOneMoreForward) {
  const Schedule schedule = chain(64);
  const std::vector<Recomputation> ways = ways_of(schedule);
  expect_sound(schedule, ways);
  EXPECT_GE(ways[0].peak, 64 * 1000);
  EXPECT_LE(ways.back().peak, 22 * 1000) << "two square roots of the depth, and what is at hand";
  for (const Recomputation& way : ways)
    EXPECT_TRUE(way.cost <= 64 || way.peak <= 24 * 1000) << way.cost << " for " << way.peak;
}

TEST(Recompute, TakesTheCheapFirst) {
  // Pairs of a dear value and a cheap one made of it; the backward part reads both.
  Schedule schedule;
  schedule.values.push_back({.bytes = 0, .temporary = false});
  constexpr int kPairs = 16;
  for (int i = 0; i < kPairs; ++i) {
    schedule.values.push_back({.bytes = 1000});
    schedule.values.push_back({.bytes = 1000});
    schedule.steps.push_back({.reads = {2 * i}, .writes = {2 * i + 1}, .cost = 100});
    schedule.steps.push_back({.reads = {2 * i + 1}, .writes = {2 * i + 2}, .cost = 1});
  }
  for (int i = kPairs; i-- > 0;) {
    schedule.values.push_back({.bytes = 10});
    const int gradient = static_cast<int>(schedule.values.size()) - 1;
    schedule.steps.push_back({.reads = {2 * i + 1, 2 * i + 2}, .writes = {gradient}, .cost = 200});
  }
  const std::vector<Recomputation> ways = ways_of(schedule);
  expect_sound(schedule, ways);
  const auto fits = std::find_if(ways.begin(), ways.end(), [](const auto& way) { return way.peak < 20000; });
  ASSERT_NE(fits, ways.end());
  EXPECT_LE(fits->cost, kPairs) << "only cheap steps, each once";
}

TEST(Recompute, ReadsNothingThatIsOverwritten) {
  // As the chain, but each layer has a weight that its gradient's step overwrites.
  Schedule schedule = chain(24);
  for (int i = 0; i < 24; ++i) {
    const int weight = static_cast<int>(schedule.values.size());
    schedule.values.push_back({.bytes = 10, .temporary = false, .overwritten = 47 - i});
    schedule.steps[static_cast<size_t>(i)].reads.push_back(weight);
    schedule.steps[static_cast<size_t>(47 - i)].reads.push_back(weight);
  }
  const std::vector<Recomputation> ways = ways_of(schedule);
  expect_sound(schedule, ways);
  EXPECT_LT(ways.back().peak, ways.front().peak / 2) << "a layer is computed again before its weight is new";
  // Where each layer renews what it reads, as running statistics are, nothing can be computed again.
  Schedule renewing = chain(24);
  for (int i = 0; i < 24; ++i) {
    renewing.steps[static_cast<size_t>(i)].reads.push_back(static_cast<int>(renewing.values.size()));
    renewing.values.push_back({.bytes = 10, .temporary = false, .overwritten = i});
  }
  EXPECT_EQ(ways_of(renewing).size(), 1u);
}

TEST(Recompute, RandomSchedulesStayTheSame) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](size_t count) { return static_cast<int>(random() % count); };
    Schedule schedule;
    const int outside = 3, steps = 10 + pick(60);
    for (int i = 0; i < outside; ++i) {
      const int overwritten = pick(2) ? pick(static_cast<size_t>(steps)) : std::numeric_limits<int>::max();
      schedule.values.push_back({.bytes = 64, .temporary = false, .overwritten = overwritten});
    }
    for (int i = 0; i < steps; ++i) {
      ScheduleStep step{.cost = 1.0 + pick(20)};
      for (int k = 0; k <= pick(3); ++k) {
        const int v = pick(schedule.values.size());
        if (schedule.values[static_cast<size_t>(v)].overwritten < i) continue;
        if (std::find(step.reads.begin(), step.reads.end(), v) == step.reads.end()) step.reads.push_back(v);
      }
      for (int k = 0; k <= pick(2); ++k) {
        step.writes.push_back(static_cast<int>(schedule.values.size()));
        schedule.values.push_back({.bytes = 64 * (1 + pick(30)), .temporary = pick(8) != 0});
      }
      if (!step.reads.empty() && pick(2)) step.in_place.emplace_back(step.reads[0], step.writes[0]);
      schedule.steps.push_back(std::move(step));
    }
    expect_sound(schedule, ways_of(schedule));
    if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
}

}  // namespace
}  // namespace temper
