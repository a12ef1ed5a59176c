// Sums and maps per channel, for each instruction set.
#include <cmath>

#include "devices/cpu/kernels/channels.h"
#include "devices/cpu/kernels/targets.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_channels.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "devices/cpu/kernels/simd_bf16.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using Wide = hn::ScalableTag<double>;
using Narrow = hn::Rebind<float, Wide>;  // as many floats as a vector of doubles holds
using V = hn::Vec<Wide>;

template <bool kGrad, class T>
struct Terms {
  V first, second;
  Terms(const T* x, const T* dy, V centre) {
    const Wide w;
    const Narrow n;
    const V value = hn::PromoteTo(w, load(n, x));
    if constexpr (kGrad) {
      first = hn::PromoteTo(w, load(n, dy));
      second = hn::Sub(value, centre);
    } else {
      first = second = value;
    }
  }
};

template <bool kGrad, class T>
void sum_rows(const T* x, const T* dy, const float* centre, int64_t rows, int64_t columns, int64_t step,
              int64_t dy_step, double* first, double* second) {
  const Wide w;
  const Narrow n;
  const auto lanes = static_cast<int64_t>(hn::Lanes(w));
  int64_t j = 0;
  for (; j + 2 * lanes <= columns; j += 2 * lanes) {
    V a[2], b[2], c[2];
    for (int k = 0; k < 2; ++k) {
      a[k] = hn::LoadU(w, first + j + k * lanes);
      b[k] = hn::LoadU(w, second + j + k * lanes);
      c[k] = kGrad ? hn::PromoteTo(w, hn::LoadU(n, centre + j + k * lanes)) : hn::Zero(w);
    }
    for (int64_t i = 0; i < rows; ++i)
      for (int k = 0; k < 2; ++k) {
        const int64_t column = j + k * lanes;
        const Terms<kGrad, T> t(x + i * step + column, kGrad ? dy + i * dy_step + column : nullptr, c[k]);
        a[k] = hn::Add(a[k], t.first);
        b[k] = hn::MulAdd(t.first, t.second, b[k]);
      }
    for (int k = 0; k < 2; ++k) {
      hn::StoreU(a[k], w, first + j + k * lanes);
      hn::StoreU(b[k], w, second + j + k * lanes);
    }
  }
  for (; j < columns; ++j)
    for (int64_t i = 0; i < rows; ++i) {
      const double value = number(x + i * step + j), weight = kGrad ? number(dy + i * dy_step + j) : value;
      first[j] += weight;
      second[j] += weight * (kGrad ? value - static_cast<double>(centre[j]) : value);
    }
}

template <bool kGrad, class T>
void sum_plane(const T* x, const T* dy, float centre, int64_t n, double* first, double* second) {
  const Wide w;
  const auto lanes = static_cast<int64_t>(hn::Lanes(w));
  const V c = hn::Set(w, static_cast<double>(centre));
  V a[4], b[4];
  for (int k = 0; k < 4; ++k) a[k] = b[k] = hn::Zero(w);
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes)
    for (int k = 0; k < 4; ++k) {
      const Terms<kGrad, T> t(x + i + k * lanes, kGrad ? dy + i + k * lanes : nullptr, c);
      a[k] = hn::Add(a[k], t.first);
      b[k] = hn::MulAdd(t.first, t.second, b[k]);
    }
  HWY_ALIGN double parts[2][8];
  hn::Store(hn::Add(hn::Add(a[0], a[1]), hn::Add(a[2], a[3])), w, parts[0]);
  hn::Store(hn::Add(hn::Add(b[0], b[1]), hn::Add(b[2], b[3])), w, parts[1]);
  for (int64_t k = 0; k < lanes; ++k) {
    *first += parts[0][k];
    *second += parts[1][k];
  }
  for (; i < n; ++i) {
    const double value = number(x + i), weight = kGrad ? number(dy + i) : value;
    *first += weight;
    *second += weight * (kGrad ? value - static_cast<double>(centre) : value);
  }
}

// Parameters are vectors by channel or one number each.
struct ByChannel {
  const float* p;
  template <class T>
  hn::Vec<D> operator()(T i) const {
    return hn::LoadU(D(), p + i);
  }
  float at(int64_t i) const { return p[i]; }
};
struct Same {
  float p;
  template <class T>
  hn::Vec<D> operator()(T) const {
    return hn::Set(D(), p);
  }
  float at(int64_t) const { return p; }
};

template <class P>
struct Constants {
  P centre, factor, slope, shift;
};
Constants<ByChannel> by_channel(const ChannelConstants& c) {
  return {{c.centre}, {c.factor}, {c.slope}, {c.shift}};
}
Constants<Same> same(const ChannelConstants& c) { return {{*c.centre}, {*c.factor}, {*c.slope}, {*c.shift}}; }

template <bool kAdds, class T, class P>
void apply(const T* x, const T* addend, const Constants<P>& c, Bounds bounds, int64_t n, T* y) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto low = hn::Set(d, bounds.low), high = hn::Set(d, bounds.high);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto v = hn::MulAdd(hn::Sub(load(d, x + i), c.centre(i)), c.factor(i), c.shift(i));
    if constexpr (kAdds) v = hn::Add(v, load(d, addend + i));
    v = hn::IfThenElse(hn::Lt(v, low), low, v);  // comparisons, as Max and Min may drop a NaN
    store(d, hn::IfThenElse(hn::Gt(v, high), high, v), y + i);
  }
  for (; i < n; ++i) {
    float v = std::fma(number(x + i) - c.centre.at(i), c.factor.at(i), c.shift.at(i));
    if constexpr (kAdds) v += number(addend + i);
    put(v < bounds.low ? bounds.low : v > bounds.high ? bounds.high : v, y + i);
  }
}

template <class T, class P>
void gradient(const T* x, const T* dy, const Constants<P>& c, int64_t n, T* dx) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto z = hn::Sub(load(d, x + i), c.centre(i));
    const auto scaled = hn::MulSub(load(d, dy + i), c.factor(i), c.shift(i));
    store(d, hn::NegMulAdd(z, c.slope(i), scaled), dx + i);
  }
  for (; i < n; ++i) {
    const float z = number(x + i) - c.centre.at(i);
    put(std::fma(-z, c.slope.at(i), std::fma(number(dy + i), c.factor.at(i), -c.shift.at(i))), dx + i);
  }
}

template <class T>
void gate(const T* dy, const T* y, Bounds bounds, int64_t n, T* result) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto low = hn::Set(d, bounds.low), high = hn::Set(d, bounds.high);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto at = load(d, y + i);
    const auto inside = hn::And(hn::Gt(at, low), hn::Lt(at, high));
    store(d, hn::IfThenElseZero(inside, load(d, dy + i)), result + i);
  }
  for (; i < n; ++i) {
    const float at = number(y + i);
    put(at > bounds.low && at < bounds.high ? number(dy + i) : 0.0F, result + i);
  }
}

template <class T>
void any_sum_rows(const T* x, const T* dy, const float* centre, int64_t rows, int64_t columns, int64_t step,
                  int64_t dy_step, double* first, double* second) {
  (dy ? sum_rows<true, T> : sum_rows<false, T>)(x, dy, centre, rows, columns, step, dy_step, first, second);
}
template <class T>
void any_sum_plane(const T* x, const T* dy, float centre, int64_t n, double* first, double* second) {
  (dy ? sum_plane<true, T> : sum_plane<false, T>)(x, dy, centre, n, first, second);
}
template <class T>
void apply_row(const T* x, const T* addend, const ChannelConstants& c, Bounds bounds, int64_t n, T* y) {
  (addend ? apply<true, T, ByChannel> : apply<false, T, ByChannel>)(x, addend, by_channel(c), bounds, n, y);
}
template <class T>
void apply_plane(const T* x, const T* addend, const ChannelConstants& c, Bounds bounds, int64_t n, T* y) {
  (addend ? apply<true, T, Same> : apply<false, T, Same>)(x, addend, same(c), bounds, n, y);
}
template <class T>
void gradient_row(const T* x, const T* dy, const ChannelConstants& c, int64_t n, T* dx) {
  gradient(x, dy, by_channel(c), n, dx);
}
template <class T>
void gradient_plane(const T* x, const T* dy, const ChannelConstants& c, int64_t n, T* dx) {
  gradient(x, dy, same(c), n, dx);
}

template <class T>
const ChannelFunctions<T>* all_functions() {
  static constexpr ChannelFunctions<T> all{any_sum_rows<T>, any_sum_plane<T>,  apply_row<T>, apply_plane<T>,
                                           gradient_row<T>, gradient_plane<T>, gate<T>};
  return &all;
}
const ChannelFunctions<float>* functions() { return all_functions<float>(); }
const ChannelFunctions<Bf16>* bf16_functions() { return all_functions<Bf16>(); }

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(functions);
HWY_EXPORT(bf16_functions);
template <>
const ChannelFunctions<float>& channel_functions() {
  return *HWY_DYNAMIC_DISPATCH(functions)();
}
template <>
const ChannelFunctions<Bf16>& channel_functions() {
  return *HWY_DYNAMIC_DISPATCH(bf16_functions)();
}
}  // namespace temper::cpu
#endif
