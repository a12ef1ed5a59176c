#include <algorithm>
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

}  // namespace

// Largest first, each at the lowest gap among the blocks that live at the same time.
ArenaPlan plan_arena(std::span<const Lifetime> lifetimes, int64_t alignment) {
  TEMPER_CHECK(alignment > 0);
  std::vector<size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });
  ArenaPlan plan{.offsets = std::vector<int64_t>(lifetimes.size(), 0)};
  std::vector<Placed> placed;
  for (const size_t i : order) {
    const Lifetime& lifetime = lifetimes[i];
    TEMPER_CHECK(lifetime.bytes >= 0 && lifetime.first <= lifetime.last, "lifetime ", i);
    if (lifetime.bytes == 0) continue;
    const int64_t bytes = (lifetime.bytes + alignment - 1) / alignment * alignment;
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

}  // namespace temper
