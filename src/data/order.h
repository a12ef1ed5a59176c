#pragma once
// The order of samples in an epoch: a function of seed and epoch alone, so a run can go on anywhere. A Loader
// and features in memory come in the same order.
#include <cstdint>
#include <span>
#include <vector>

namespace temper {

// A permutation of 0 ... count - 1.
std::vector<int64_t> shuffled(int64_t count, uint64_t seed, int64_t epoch);

// `count` draws with replacement, each class equally often; classes without samples are left out. classes: by
// sample.
std::vector<int64_t> balanced(std::span<const int64_t> classes, uint64_t seed, int64_t epoch);

}  // namespace temper
