#pragma once
// Random numbers by the counter, eight counters at a time.
#include <array>

#include "base/philox.h"

namespace temper::nn {

// What counters block ... block + 7 of `key` give, four numbers each in their order: uniform in (-1, 1), or
// normal. The same bits on every processor.
inline constexpr int64_t kDrawnTogether = 8, kPerBlock = 4;
using Drawn = std::array<double, kDrawnTogether * kPerBlock>;
void draw_uniform(PhiloxKey key, uint64_t block, Drawn& numbers);
void draw_normal(PhiloxKey key, uint64_t block, Drawn& numbers);

}  // namespace temper::nn
