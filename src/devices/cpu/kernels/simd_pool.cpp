// Pooling over runs of channels, for each instruction set.
#include <algorithm>

#include "devices/cpu/kernels/pool_rows.h"
#include "devices/cpu/kernels/targets.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_pool.cpp"
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

// each(tag, i) for whole vectors of channels, then one at a time.
template <class Each>
void over_channels(int64_t channels, const Each& each) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Full()));
  int64_t i = 0;
  for (; i + lanes <= channels; i += lanes) each(Full(), i);
  for (; i < channels; ++i) each(One(), i);
}

template <class T>
void max(const T* x, const int64_t* taps, int64_t count, int64_t channels, T* y) {
  over_channels(channels, [&](auto d, int64_t i) HWY_ATTR {
    auto best = load(d, x + taps[0] + i);
    for (int64_t k = 1; k < count; ++k) {
      const auto next = load(d, x + taps[k] + i);
      best = hn::IfThenElse(hn::Or(hn::Gt(next, best), hn::IsNaN(next)), next, best);
    }
    store(d, best, y + i);
  });
}

template <class T>
void max_bytes(const T* x, const int64_t* taps, int64_t count, int64_t channels, T* y) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= channels; i += lanes) {
    auto best = hn::LoadU(d, x + taps[0] + i);
    for (int64_t k = 1; k < count; ++k) best = hn::Max(best, hn::LoadU(d, x + taps[k] + i));
    hn::StoreU(best, d, y + i);
  }
  for (; i < channels; ++i) {
    T best = x[taps[0] + i];
    for (int64_t k = 1; k < count; ++k) best = std::max(best, x[taps[k] + i]);
    y[i] = best;
  }
}

template <class T>
void sum(const T* x, const int64_t* taps, int64_t count, float factor, int64_t channels, T* y) {
  over_channels(channels, [&](auto d, int64_t i) HWY_ATTR {
    auto total = hn::Zero(d);
    for (int64_t k = 0; k < count; ++k) total = hn::Add(total, load(d, x + taps[k] + i));
    store(d, hn::Mul(total, hn::Set(d, factor)), y + i);
  });
}

template <class T>
void max_grad(const T* x, const T* dy, const int64_t* taps, int64_t count, int64_t channels, float* dx) {
  over_channels(channels, [&](auto d, int64_t i) HWY_ATTR {
    auto best = load(d, x + taps[0] + i);
    auto at = hn::Zero(d);  // the number of the tap
    for (int64_t k = 1; k < count; ++k) {
      const auto next = load(d, x + taps[k] + i);
      const auto better = hn::AndNot(hn::IsNaN(best), hn::Or(hn::Gt(next, best), hn::IsNaN(next)));
      best = hn::IfThenElse(better, next, best);
      at = hn::IfThenElse(better, hn::Set(d, static_cast<float>(k)), at);
    }
    const auto grad = load(d, dy + i);
    for (int64_t k = 0; k < count; ++k) {
      float* to = dx + taps[k] + i;
      const auto here = hn::IfThenElseZero(hn::Eq(at, hn::Set(d, static_cast<float>(k))), grad);
      hn::StoreU(hn::Add(hn::LoadU(d, to), here), d, to);
    }
  });
}

template <class T>
void sum_grad(const T* dy, const int64_t* taps, int64_t count, float factor, int64_t channels, float* dx) {
  over_channels(channels, [&](auto d, int64_t i) HWY_ATTR {
    const auto grad = hn::Mul(load(d, dy + i), hn::Set(d, factor));
    for (int64_t k = 0; k < count; ++k) {
      float* to = dx + taps[k] + i;
      hn::StoreU(hn::Add(hn::LoadU(d, to), grad), d, to);
    }
  });
}

template <class T>
void copy(const float* from, int64_t n, T* to) {
  over_channels(n, [&](auto d, int64_t i) HWY_ATTR { store(d, hn::LoadU(d, from + i), to + i); });
}

template <class T>
const PoolFunctions<T>* all_functions() {
  static constexpr PoolFunctions<T> all{max<T>, sum<T>, max_grad<T>, sum_grad<T>, copy<T>};
  return &all;
}
const PoolFunctions<float>* functions() { return all_functions<float>(); }
const PoolFunctions<Bf16>* bf16_functions() { return all_functions<Bf16>(); }
template <class T>
const PoolFunctions<T>* only_max() {
  static constexpr PoolFunctions<T> all{max_bytes<T>, nullptr, nullptr, nullptr, nullptr};
  return &all;
}
const PoolFunctions<uint8_t>* u8_functions() { return only_max<uint8_t>(); }
const PoolFunctions<int8_t>* i8_functions() { return only_max<int8_t>(); }

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(functions);
HWY_EXPORT(bf16_functions);
HWY_EXPORT(u8_functions);
HWY_EXPORT(i8_functions);
template <>
const PoolFunctions<float>& pool_functions() {
  return *HWY_DYNAMIC_DISPATCH(functions)();
}
template <>
const PoolFunctions<Bf16>& pool_functions() {
  return *HWY_DYNAMIC_DISPATCH(bf16_functions)();
}
template <>
const PoolFunctions<uint8_t>& pool_functions() {
  return *HWY_DYNAMIC_DISPATCH(u8_functions)();
}
template <>
const PoolFunctions<int8_t>& pool_functions() {
  return *HWY_DYNAMIC_DISPATCH(i8_functions)();
}
}  // namespace temper::cpu
#endif
