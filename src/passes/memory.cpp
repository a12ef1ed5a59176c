#include <algorithm>
#include <map>
#include <numeric>

#include "base/check.h"
#include "passes/passes.h"

namespace temper {

namespace {

struct Placed {
  int64_t begin, end;
  int first, last;
};

// The lowest offset where `bytes` fit beside the blocks that live at the same time; `placed` is sorted by
// begin.
int64_t lowest_gap(const std::vector<Placed>& placed, const Lifetime& lifetime, int64_t bytes) {
  int64_t offset = 0;
  for (const Placed& other : placed) {
    if (other.first > lifetime.last || other.last < lifetime.first) continue;
    if (other.begin >= offset + bytes) break;
    offset = std::max(offset, other.end);
  }
  return offset;
}

using Order = std::vector<size_t>;

int64_t aligned(int64_t bytes, int64_t alignment) { return (bytes + alignment - 1) / alignment * alignment; }

// One after the other, each at the lowest gap among the blocks that live at the same time.
ArenaPlan plan_in(const Order& order, std::span<const Lifetime> lifetimes, int64_t alignment) {
  ArenaPlan plan{.offsets = std::vector<int64_t>(lifetimes.size(), 0)};
  std::vector<Placed> placed;
  for (const size_t i : order) {
    const Lifetime& lifetime = lifetimes[i];
    if (lifetime.bytes == 0) continue;
    const int64_t bytes = aligned(lifetime.bytes, alignment);
    const int64_t offset = lowest_gap(placed, lifetime, bytes);
    const Placed block{offset, offset + bytes, lifetime.first, lifetime.last};
    placed.insert(std::upper_bound(placed.begin(), placed.end(), block,
                                   [](const Placed& a, const Placed& b) { return a.begin < b.begin; }),
                  block);
    plan.offsets[i] = offset;
    plan.bytes = std::max(plan.bytes, block.end);
  }
  return plan;
}

int64_t most_at_once(std::span<const Lifetime> lifetimes, int64_t alignment) {
  std::map<int, int64_t> changes;
  for (const Lifetime& lifetime : lifetimes) {
    changes[lifetime.first] += aligned(lifetime.bytes, alignment);
    changes[lifetime.last + 1] -= aligned(lifetime.bytes, alignment);
  }
  int64_t now = 0, most = 0;
  for (const auto& [step, change] : changes) most = std::max(most, now += change);
  return most;
}

}  // namespace

// Largest first comes near the floor; where it does not reach it, those that live longest, or that take most
// room over their life, may do better.
ArenaPlan plan_arena(std::span<const Lifetime> lifetimes, int64_t alignment) {
  TEMPER_CHECK(alignment > 0);
  for (size_t i = 0; i < lifetimes.size(); ++i)
    TEMPER_CHECK(lifetimes[i].bytes >= 0 && lifetimes[i].first <= lifetimes[i].last, "lifetime ", i);
  const auto bytes = [](const Lifetime& l) { return static_cast<double>(l.bytes); };
  const auto length = [](const Lifetime& l) { return static_cast<double>(l.last - l.first + 1); };
  const int64_t floor = most_at_once(lifetimes, alignment);
  ArenaPlan best;
  for (int way = 0; way < 3; ++way) {
    const auto weight = [&](size_t i) {
      const Lifetime& l = lifetimes[i];
      return way == 0 ? bytes(l) : way == 1 ? length(l) : bytes(l) * length(l);
    };
    Order order(lifetimes.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, std::ranges::greater(), weight);
    ArenaPlan plan = plan_in(order, lifetimes, alignment);
    if (way == 0 || plan.bytes < best.bytes) best = std::move(plan);
    if (best.bytes == floor) break;
  }
  best.floor = floor;
  return best;
}

}  // namespace temper
