#include "data/order.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/philox.h"

namespace temper {
namespace {

PhiloxKey key_of(uint64_t seed, int64_t epoch) {
  const PhiloxKey key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  return fold_in(key, static_cast<uint64_t>(epoch));
}

uint64_t wide_word(PhiloxKey key, int64_t index) {
  const auto at = static_cast<uint64_t>(index) * 2;
  return uint64_t{random_word(key, at)} << 32 | random_word(key, at + 1);
}

}  // namespace

std::vector<int64_t> shuffled(int64_t count, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  const PhiloxKey key = key_of(seed, epoch);
  for (int64_t i = count - 1; i > 0; --i) {  // Fisher and Yates
    const auto j = static_cast<size_t>(wide_word(key, i) % static_cast<uint64_t>(i + 1));
    std::swap(order[static_cast<size_t>(i)], order[j]);
  }
  return order;
}

std::vector<int64_t> balanced(std::span<const int64_t> classes, uint64_t seed, int64_t epoch) {
  std::map<int64_t, std::vector<int64_t>> members;
  for (size_t i = 0; i < classes.size(); ++i) members[classes[i]].push_back(static_cast<int64_t>(i));
  std::vector<int64_t> draws;
  const PhiloxKey key = key_of(seed, epoch);
  while (draws.size() < classes.size()) {
    for (const auto& [label, samples] : members) {
      if (draws.size() == classes.size()) break;
      const uint64_t word = wide_word(key, static_cast<int64_t>(draws.size()));
      draws.push_back(samples[word % samples.size()]);
    }
  }
  const std::vector<int64_t> order =
      shuffled(static_cast<int64_t>(draws.size()), seed ^ 0x9E3779B97F4A7C15u, epoch);
  std::vector<int64_t> result;
  for (int64_t i : order) result.push_back(draws[static_cast<size_t>(i)]);
  return result;
}

}  // namespace temper
