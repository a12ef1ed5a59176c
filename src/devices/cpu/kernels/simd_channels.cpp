// Sums and maps per channel, for each instruction set.
#include "devices/cpu/kernels/channels.h"
#include "devices/cpu/kernels/targets.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_channels.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using Wide = hn::ScalableTag<double>;
using Narrow = hn::Rebind<float, Wide>;  // as many floats as a vector of doubles holds
using V = hn::Vec<Wide>;

template <bool kGrad>
struct Terms {
  V first, second;
  Terms(const float* x, const float* dy, V centre) {
    const Wide w;
    const Narrow n;
    const V value = hn::PromoteTo(w, hn::LoadU(n, x));
    if constexpr (kGrad) {
      first = hn::PromoteTo(w, hn::LoadU(n, dy));
      second = hn::Sub(value, centre);
    } else {
      first = second = value;
    }
  }
};

template <bool kGrad>
void sum_rows(const float* x, const float* dy, const float* centre, int64_t rows, int64_t columns,
              int64_t step, double* first, double* second) {
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
        const int64_t at = i * step + j + k * lanes;
        const Terms<kGrad> t(x + at, kGrad ? dy + at : nullptr, c[k]);
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
      const double value = x[i * step + j], weight = kGrad ? dy[i * step + j] : value;
      first[j] += weight;
      second[j] += weight * (kGrad ? value - static_cast<double>(centre[j]) : value);
    }
}

template <bool kGrad>
void sum_plane(const float* x, const float* dy, float centre, int64_t n, double* first, double* second) {
  const Wide w;
  const auto lanes = static_cast<int64_t>(hn::Lanes(w));
  const V c = hn::Set(w, static_cast<double>(centre));
  V a[4], b[4];
  for (int k = 0; k < 4; ++k) a[k] = b[k] = hn::Zero(w);
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes)
    for (int k = 0; k < 4; ++k) {
      const Terms<kGrad> t(x + i + k * lanes, kGrad ? dy + i + k * lanes : nullptr, c);
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
    const double value = x[i], weight = kGrad ? dy[i] : value;
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

template <bool kGrad, class P>
void map(const float* x, const float* dy, P centre, P factor, P slope, P shift, int64_t n, float* y) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto z = hn::Sub(hn::LoadU(d, x + i), centre(i));
    if constexpr (kGrad) {
      const auto scaled = hn::MulSub(hn::LoadU(d, dy + i), factor(i), shift(i));
      hn::StoreU(hn::NegMulAdd(z, slope(i), scaled), d, y + i);
    } else {
      hn::StoreU(hn::MulAdd(z, factor(i), shift(i)), d, y + i);
    }
  }
  for (; i < n; ++i) {
    const float z = x[i] - centre.at(i);
    y[i] = kGrad ? dy[i] * factor.at(i) - shift.at(i) - z * slope.at(i) : z * factor.at(i) + shift.at(i);
  }
}

void any_sum_rows(const float* x, const float* dy, const float* centre, int64_t rows, int64_t columns,
                  int64_t step, double* first, double* second) {
  (dy ? sum_rows<true> : sum_rows<false>)(x, dy, centre, rows, columns, step, first, second);
}
void any_sum_plane(const float* x, const float* dy, float centre, int64_t n, double* first, double* second) {
  (dy ? sum_plane<true> : sum_plane<false>)(x, dy, centre, n, first, second);
}
void map_row(const float* x, const float* dy, const float* centre, const float* factor, const float* slope,
             const float* shift, int64_t n, float* y) {
  (dy ? map<true, ByChannel> : map<false, ByChannel>)(x, dy, {centre}, {factor}, {slope}, {shift}, n, y);
}
void map_plane(const float* x, const float* dy, float centre, float factor, float slope, float shift,
               int64_t n, float* y) {
  (dy ? map<true, Same> : map<false, Same>)(x, dy, {centre}, {factor}, {slope}, {shift}, n, y);
}

const ChannelFunctions* functions() {
  static constexpr ChannelFunctions all{any_sum_rows, any_sum_plane, map_row, map_plane};
  return &all;
}

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(functions);
const ChannelFunctions& channel_functions() { return *HWY_DYNAMIC_DISPATCH(functions)(); }
}  // namespace temper::cpu
#endif
