#include "nn/draw.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace temper::nn {
namespace {

double open_unit(uint32_t word) { return (word + 0.5) * 0x1p-32; }

// Against the library's functions, one counter after the other; also where counters pass 32 bits.
TEST(Draw, IsWhatTheFormulaSays) {
  const PhiloxKey key = {123456789u, 987654321u};
  for (const uint64_t first : {uint64_t{0}, uint64_t{1000}, (uint64_t{1} << 32) - 3, uint64_t{1} << 40}) {
    for (uint64_t block = first; block < first + 4096; block += kDrawnTogether) {
      Drawn uniform, normal;
      draw_uniform(key, block, uniform);
      draw_normal(key, block, normal);
      for (uint64_t i = 0; i < kDrawnTogether; ++i) {
        const uint64_t at = block + i;
        const PhiloxCounter words =
            philox({static_cast<uint32_t>(at), static_cast<uint32_t>(at >> 32), 0, kPhiloxBits}, key);
        for (size_t k = 0; k < 4; ++k) EXPECT_EQ(uniform[i * 4 + k], 2 * open_unit(words[k]) - 1);
        for (size_t k = 0; k < 4; k += 2) {
          const double radius = std::sqrt(-2 * std::log(open_unit(words[k])));
          const double angle = 2 * std::numbers::pi * open_unit(words[k + 1]);
          EXPECT_NEAR(normal[i * 4 + k], radius * std::cos(angle), 1e-14);
          EXPECT_NEAR(normal[i * 4 + k + 1], radius * std::sin(angle), 1e-14);
        }
      }
    }
  }
}

}  // namespace
}  // namespace temper::nn
