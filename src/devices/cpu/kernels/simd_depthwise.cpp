// One place of a depthwise convolution, for each instruction set.
#include "devices/cpu/kernels/depthwise.h"
#include "devices/cpu/kernels/targets.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_depthwise.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "devices/cpu/kernels/simd_bf16.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using Full = hn::ScalableTag<float>;
using One = hn::CappedTag<float, 1>;

template <class D>
HWY_INLINE void run(D d, const Bf16* picture, const float* weights, const DepthwiseTaps& taps, int64_t c,
                    Bf16* result) {
  auto sum = hn::Zero(d);
  for (int64_t k = 0; k < taps.count; ++k)
    sum = hn::MulAdd(load(d, picture + taps.places[k] + c), hn::LoadU(d, weights + taps.rows[k] + c), sum);
  store(d, sum, result + c);
}

void place(const Bf16* picture, const float* weights, const DepthwiseTaps& taps, int64_t channels,
           Bf16* result) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Full()));
  int64_t c = 0;
  for (; c + lanes <= channels; c += lanes) run(Full(), picture, weights, taps, c, result);
  for (; c < channels; ++c) run(One(), picture, weights, taps, c, result);
}

DepthwisePlace function() { return place; }

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(function);
DepthwisePlace depthwise_place() { return HWY_DYNAMIC_DISPATCH(function)(); }
}  // namespace temper::cpu
#endif
