// Places and lines of depthwise convolutions, for each instruction set.
#include <algorithm>
#include <utility>

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

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
constexpr int kPlaces = 4;  // that are summed together

// kPlaces sums of a vector of channels each.
struct Sums {
  V at[kPlaces];
};

HWY_INLINE void finish(const DepthwiseLine& p, V sum, int64_t place, int64_t c, float* y) {
  const D d;
  if (p.bias) sum = hn::Add(sum, hn::LoadU(d, p.bias + c));
  hn::StoreU(hn::Min(hn::Set(d, p.high), hn::Max(hn::Set(d, p.low), sum)), d, y + place * p.y_step + c);
}

// A vector of x, which is `kAt` behind the first one of these places, times the weights it meets.
template <int kStride, int kTaps, int kAt, size_t... kPlace>
HWY_INLINE void meet(V x, const V* weights, Sums& sums, std::index_sequence<kPlace...>) {
  const auto add = [&](auto place) HWY_ATTR {
    constexpr int kTap = kAt - static_cast<int>(place()) * kStride;
    if constexpr (kTap >= 0 && kTap < kTaps)
      sums.at[place()] = hn::MulAdd(x, weights[kTap], sums.at[place()]);
  };
  (add(std::integral_constant<size_t, kPlace>()), ...);
}

// Each vector of x is loaded once for all windows of a row that meet it.
template <int kStride, int kTaps, size_t... kAt>
HWY_INLINE void add_row(const float* x, int64_t step, const float* w, Sums& sums,
                        std::index_sequence<kAt...>) {
  const D d;
  V weights[kTaps];
  for (int t = 0; t < kTaps; ++t) weights[t] = hn::LoadU(d, w + t * step);
  (meet<kStride, kTaps, static_cast<int>(kAt)>(hn::LoadU(d, x + static_cast<int64_t>(kAt) * step), weights,
                                               sums, std::make_index_sequence<kPlaces>()),
   ...);
}

template <int kStride, int kTaps>
HWY_INLINE void some_places(const DepthwiseLine& p, int64_t place, int64_t c, float* y) {
  Sums sums;
  for (int i = 0; i < kPlaces; ++i) sums.at[i] = hn::Zero(D());
  for (int64_t row = 0; row < p.rows; ++row)
    if (p.lines[row])
      add_row<kStride, kTaps>(p.lines[row] + (place * kStride - p.before) * p.channels + c, p.channels,
                              p.weights + row * kTaps * p.channels + c, sums,
                              std::make_index_sequence<(kPlaces - 1) * kStride + kTaps>());
  for (int i = 0; i < kPlaces; ++i) finish(p, sums.at[i], place + i, c, y);
}

HWY_INLINE void one_place(const DepthwiseLine& p, int64_t place, int64_t c, float* y) {
  const D d;
  V sum = hn::Zero(d);
  const int64_t first = place * p.stride - p.before;
  const int64_t begin = std::max<int64_t>(0, -first), end = std::min(p.taps, p.width - first);
  for (int64_t row = 0; row < p.rows; ++row) {
    if (!p.lines[row]) continue;
    for (int64_t t = begin; t < end; ++t)
      sum = hn::MulAdd(hn::LoadU(d, p.lines[row] + (first + t) * p.channels + c),
                       hn::LoadU(d, p.weights + (row * p.taps + t) * p.channels + c), sum);
  }
  finish(p, sum, place, c, y);
}

// A vector of channels from c on.
void channels(const DepthwiseLine& p, int64_t c, float* y) {
  const int64_t begin = std::min(p.places, (p.before + p.stride - 1) / p.stride);
  const int64_t room = p.width - p.taps + p.before;
  const int64_t end = room < 0 ? begin : std::clamp(room / p.stride + 1, begin, p.places);
  int64_t place = 0;
  for (; place < begin; ++place) one_place(p, place, c, y);
  if (p.taps == 3 && p.stride == 1)
    for (; place + kPlaces <= end; place += kPlaces) some_places<1, 3>(p, place, c, y);
  if (p.taps == 3 && p.stride == 2)
    for (; place + kPlaces <= end; place += kPlaces) some_places<2, 3>(p, place, c, y);
  for (; place < p.places; ++place) one_place(p, place, c, y);
}

void line(const DepthwiseLine& p, float* y) {
  for (int64_t c = 0; c < p.channels; c += kLanes) channels(p, c, y);
}

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(function);
HWY_EXPORT(line);
DepthwisePlace depthwise_place() { return HWY_DYNAMIC_DISPATCH(function)(); }
void depthwise_line(const DepthwiseLine& given, float* y) { HWY_DYNAMIC_DISPATCH(line)(given, y); }
}  // namespace temper::cpu
#endif
