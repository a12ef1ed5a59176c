// Dropout of f32 by Philox4x32-10, a block of counters at a time, for each instruction set.
#include "base/philox.h"
#include "devices/cpu/kernels/dropout.h"
#include "devices/cpu/kernels/targets.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_dropout.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using Words = hn::ScalableTag<uint32_t>;
using V = hn::Vec<Words>;

struct Product {
  V high, low;
};

#if HWY_TARGET == HWY_SCALAR
Product multiply(V x, uint32_t factor) {
  const uint64_t p = uint64_t{hn::GetLane(x)} * factor;
  return {hn::Set(Words(), static_cast<uint32_t>(p >> 32)), hn::Set(Words(), static_cast<uint32_t>(p))};
}
#else
Product multiply(V x, uint32_t factor) {
  const Words d;
  const hn::RepartitionToWide<Words> wide;
  const V f = hn::Set(d, factor);
  const V even = hn::BitCast(d, hn::MulEven(x, f));
  const V odd = hn::BitCast(d, hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, x))), f));
  const V even_high = hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, even)));
  const V odd_low = hn::BitCast(d, hn::ShiftLeft<32>(hn::BitCast(wide, odd)));
  return {hn::OddEven(odd, even_high), hn::OddEven(odd_low, even)};
}
#endif

V random_words(uint64_t index, PhiloxKey key) {
  const Words d;
  // blocks never cross a multiple of 2^32, so the high word is one for all lanes
  V c0 = hn::Iota(d, static_cast<uint32_t>(index)), c1 = hn::Set(d, static_cast<uint32_t>(index >> 32));
  V c2 = hn::Zero(d), c3 = hn::Set(d, kPhiloxBits);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const Product first = multiply(c0, kPhiloxMultipliers[0]), second = multiply(c2, kPhiloxMultipliers[1]);
    c0 = hn::Xor(hn::Xor(second.high, c1), hn::Set(d, key[0]));
    c1 = second.low;
    c2 = hn::Xor(hn::Xor(first.high, c3), hn::Set(d, key[1]));
    c3 = first.low;
    key = {key[0] + kPhiloxSteps[0], key[1] + kPhiloxSteps[1]};
  }
  return c0;
}

void drop(const float* x, PhiloxKey key, uint64_t index, uint32_t threshold, float factor, int64_t n,
          float* y) {
  const Words d;
  const hn::RebindToFloat<Words> df;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto f = hn::Set(df, factor);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto keep =
        hn::Not(hn::Lt(random_words(index + static_cast<uint64_t>(i), key), hn::Set(d, threshold)));
    hn::StoreU(hn::IfThenElseZero(hn::RebindMask(df, keep), hn::Mul(hn::LoadU(df, x + i), f)), df, y + i);
  }
  for (; i < n; ++i)
    y[i] = random_word(key, index + static_cast<uint64_t>(i)) >= threshold ? x[i] * factor : 0;
}

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(drop);
void drop_run(const float* x, PhiloxKey key, uint64_t index, uint32_t threshold, float factor, int64_t n,
              float* y) {
  HWY_DYNAMIC_DISPATCH(drop)(x, key, index, threshold, factor, n, y);
}
}  // namespace temper::cpu
#endif
