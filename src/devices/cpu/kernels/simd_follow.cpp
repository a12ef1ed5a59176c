// Rows of floats, for each instruction set.
#include "devices/cpu/kernels/follow.h"
#include "devices/cpu/kernels/targets.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_follow.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "devices/cpu/kernels/simd_follow.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace {
using Lanes = hn::CappedTag<int32_t, 16>;

template <bool kWhole>
HWY_INLINE void follow_vector(const FollowResult& to, int64_t first, int64_t column, int64_t columns) {
  Tile<Lanes, 1, 1, kWhole> tile(to, first, column);
  const Columns<Lanes, kWhole> some{columns};
  tile.t[0][0] = some.load(static_cast<const float*>(to.y) + first, 0);
  if (to.bias) tile.t[0][0] = hn::Add(tile.t[0][0], some.load(to.bias + column, 0));
  tile.run(some);
}

void rows(const FollowResult& to, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    int64_t c = 0;
    for (; c + kLanesOf<Lanes> <= columns; c += kLanesOf<Lanes>)
      follow_vector<true>(to, to.first + r * to.row + c, c, columns - c);
    if (c < columns) follow_vector<false>(to, to.first + r * to.row + c, c, columns - c);
  }
}

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(rows);
void follow_rows(const FollowResult& result, int64_t count, int64_t columns) {
  HWY_DYNAMIC_DISPATCH(rows)(result, count, columns);
}
}  // namespace temper::cpu
#endif
