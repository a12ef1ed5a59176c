// 4 x 4 tiles of 4-byte elements, for each instruction set.
#include "devices/cpu/kernels/targets.h"
#include "devices/cpu/kernels/transpose.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_transpose.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

void tile(const uint32_t* from, int64_t from_step, uint32_t* to, int64_t to_step, int64_t rows,
          int64_t columns) {
  int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<uint32_t, 4> d;
  const hn::FixedTag<uint64_t, 2> pairs;
  for (; r + 4 <= rows; r += 4) {
    int64_t c = 0;
    for (; c + 4 <= columns; c += 4) {
      const uint32_t* x = from + c * from_step + r;
      const auto a = hn::LoadU(d, x), b = hn::LoadU(d, x + from_step), e = hn::LoadU(d, x + 2 * from_step),
                 f = hn::LoadU(d, x + 3 * from_step);
      const auto ab = hn::BitCast(pairs, hn::InterleaveLower(d, a, b)),
                 AB = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b));
      const auto ef = hn::BitCast(pairs, hn::InterleaveLower(d, e, f)),
                 EF = hn::BitCast(pairs, hn::InterleaveUpper(d, e, f));
      uint32_t* y = to + r * to_step + c;
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, ab, ef)), d, y);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, ab, ef)), d, y + to_step);
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, AB, EF)), d, y + 2 * to_step);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, AB, EF)), d, y + 3 * to_step);
    }
    for (; c < columns; ++c)
      for (int64_t k = 0; k < 4; ++k) to[(r + k) * to_step + c] = from[c * from_step + r + k];
  }
#endif
  for (; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) to[r * to_step + c] = from[c * from_step + r];
}

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(tile);
void transpose_tile(const uint32_t* from, int64_t from_step, uint32_t* to, int64_t to_step, int64_t rows,
                    int64_t columns) {
  HWY_DYNAMIC_DISPATCH(tile)(from, from_step, to, to_step, rows, columns);
}
}  // namespace temper::cpu
#endif
