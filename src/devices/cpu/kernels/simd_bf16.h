// Vectors of f32 from and to memory that holds f32 or bf16. Included once per instruction set, inside
// foreach_target.
#if defined(TEMPER_SIMD_BF16_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TEMPER_SIMD_BF16_H
#undef TEMPER_SIMD_BF16_H
#else
#define TEMPER_SIMD_BF16_H
#endif

#include "devices/cpu/kernels/bf16.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {

template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load(D d, const float* p) {
  return hwy::HWY_NAMESPACE::LoadU(d, p);
}

template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load(D d, const Bf16* p) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::Rebind<uint16_t, D> half;
  const hn::Rebind<uint32_t, D> whole;
  const auto bits = hn::PromoteTo(whole, hn::LoadU(half, reinterpret_cast<const uint16_t*>(p)));
  return hn::BitCast(d, hn::ShiftLeft<16>(bits));
}

template <class D>
HWY_INLINE void store(D d, hwy::HWY_NAMESPACE::Vec<D> value, float* p) {
  hwy::HWY_NAMESPACE::StoreU(value, d, p);
}

// To nearest even; NaN stays NaN.
template <class D>
HWY_INLINE auto rounded(D, hwy::HWY_NAMESPACE::Vec<D> value) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::Rebind<uint16_t, D> half;
  const hn::Rebind<uint32_t, D> whole;
  const hn::Rebind<int32_t, D> integers;
  const auto bits = hn::BitCast(whole, value);
  const auto even = hn::And(hn::ShiftRight<16>(bits), hn::Set(whole, 1));
  const auto near = hn::ShiftRight<16>(hn::Add(bits, hn::Add(even, hn::Set(whole, 0x7fff))));
  const auto quiet = hn::Or(hn::ShiftRight<16>(bits), hn::Set(whole, 0x40));
  const auto chosen = hn::IfThenElse(hn::RebindMask(whole, hn::IsNaN(value)), quiet, near);
  return hn::DemoteTo(half, hn::BitCast(integers, chosen));
}

// The same by the processor where it can, which makes 0 of numbers below 2^-126.
template <class D>
HWY_INLINE auto narrowed(D d, hwy::HWY_NAMESPACE::Vec<D> value) {
#if HWY_TARGET == HWY_AVX3
  // Highway has no name for the instruction yet, and the compiler none outside functions for such processors.
  if constexpr (hwy::HWY_NAMESPACE::MaxLanes(D()) == 16)
    if (kHasBf16) {
      decltype(rounded(d, value)) result;
      asm("vcvtneps2bf16 %1, %0" : "=v"(result.raw) : "v"(value.raw));
      return result;
    }
#endif
  return rounded(d, value);
}

template <class D>
HWY_INLINE void store(D d, hwy::HWY_NAMESPACE::Vec<D> value, Bf16* p) {
  namespace hn = hwy::HWY_NAMESPACE;
  hn::StoreU(narrowed(d, value), hn::Rebind<uint16_t, D>(), reinterpret_cast<uint16_t*>(p));
}

}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
