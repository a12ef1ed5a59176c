// Tiles of sums on their way to results. Included once per instruction set, inside foreach_target.
#if defined(TEMPER_SIMD_FOLLOW_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TEMPER_SIMD_FOLLOW_H
#undef TEMPER_SIMD_FOLLOW_H
#else
#define TEMPER_SIMD_FOLLOW_H
#endif

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "devices/cpu/kernels/follow.h"
#include "devices/cpu/kernels/simd_math.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
constexpr int kLanesOf = static_cast<int>(hn::MaxLanes(D()));

// `columns` elements; all vectors of them are whole, or the last ones may not be. D of any element type.
template <class D, bool kWhole>
struct Columns {
  int64_t columns;
  template <class T>
  hn::Vec<hn::Rebind<T, D>> load(const T* from, int64_t column) const {
    const hn::Rebind<T, D> d;
    if (kWhole || column + kLanesOf<D> <= columns) return hn::LoadU(d, from + column);
    HWY_ALIGN T rest[kLanesOf<D>] = {};
    std::memcpy(rest, from + column, static_cast<size_t>(std::max<int64_t>(0, columns - column)) * sizeof(T));
    return hn::Load(d, rest);
  }
  template <class T>
  void store(hn::Vec<hn::Rebind<T, D>> value, T* to, int64_t column) const {
    const hn::Rebind<T, D> d;
    if (kWhole || column + kLanesOf<D> <= columns) return hn::StoreU(value, d, to + column);
    HWY_ALIGN T rest[kLanesOf<D>];
    hn::Store(value, d, rest);
    std::memcpy(to + column, rest, static_cast<size_t>(std::max<int64_t>(0, columns - column)) * sizeof(T));
  }
};

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
using Eight = hn::Vec<hn::CappedTag<int32_t, 8>>;
HWY_INLINE Eight nearest(hn::Vec<hn::CappedTag<float, 8>> x) { return Eight{_mm256_cvtps_epi32(x.raw)}; }
template <class T>
HWY_INLINE void put_bytes(Eight low, Eight high, T* to) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low.raw, high.raw), 0xD8);
  const __m128i first = _mm256_castsi256_si128(words), second = _mm256_extracti128_si256(words, 1);
  const __m128i bytes =
      std::is_same_v<T, uint8_t> ? _mm_packus_epi16(first, second) : _mm_packs_epi16(first, second);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
}
#endif
#if HWY_TARGET != HWY_AVX2
template <class V>
HWY_INLINE auto nearest(V x) {
  return hn::NearestInt(x);
}
#endif

// R rows of N vectors, on their way from sums to results.
template <class D, int R, int N, bool kWhole>
struct Tile {
  using Some = Columns<D, kWhole>;
  using F = hn::Rebind<float, D>;
  using V = hn::Vec<F>;
  static constexpr int kStep = kLanesOf<D>;
  Tile(const FollowResult& to, int64_t first, int64_t column) : to(to), first(first), column(column) {}

  const FollowResult& to;
  const int64_t first, column;  // of y and what is added; of scales and bias
  V t[R][N];

  template <class Change>
  HWY_INLINE void each(const Change& change) {
    for (int i = 0; i < R; ++i)
      for (int j = 0; j < N; ++j) t[i][j] = change(t[i][j], i, j);
  }

  template <class T>
  HWY_INLINE void add(const T* operand, Some columns) {
    const F f;
    const D d;
    each([&](V x, int i, int j) HWY_ATTR {
      const auto other = columns.load(operand + first + i * to.row, j * kStep);
      if constexpr (sizeof(T) == 4) {
        return hn::Add(x, other);
      } else {
        return hn::Add(x, hn::ConvertTo(f, hn::PromoteTo(d, other)));
      }
    });
  }

  HWY_INLINE void follow(const FollowStep& step, Some columns) {
    const F f;
    const V a = hn::Set(f, step.a), b = hn::Set(f, step.b);
    switch (step.kind) {
      case FollowStep::linear:
        return each([&](V x, int, int) HWY_ATTR { return hn::MulAdd(x, a, b); });
      case FollowStep::clip:
        return each([&](V x, int, int) HWY_ATTR { return hn::Min(b, hn::Max(a, x)); });
      case FollowStep::round:
        return each([&](V x, int, int) HWY_ATTR { return hn::Min(b, hn::Max(a, hn::Round(x))); });
      case FollowStep::sigmoid:
        return each([&](V x, int, int) HWY_ATTR { return sigmoid(f, x); });
      case FollowStep::tanh:
        return each([&](V x, int, int) HWY_ATTR { return HWY_NAMESPACE::tanh(f, x); });
      case FollowStep::gelu:
        return each([&](V x, int, int) HWY_ATTR { return gelu(f, x); });
      case FollowStep::gelu_tanh:
        return each([&](V x, int, int) HWY_ATTR { return gelu_tanh(x); });
      case FollowStep::add_u8:
        return add(static_cast<const uint8_t*>(step.operand), columns);
      case FollowStep::add_i8:
        return add(static_cast<const int8_t*>(step.operand), columns);
      case FollowStep::add_f32:
        return add(static_cast<const float*>(step.operand), columns);
    }
  }

  static HWY_INLINE V gelu_tanh(V x) {  // x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
    const F f;
    const V cube = hn::Mul(hn::Mul(x, x), x), half = hn::Mul(hn::Set(f, 0.5F), x);
    const V inner = hn::Mul(hn::Set(f, 0.797884561F), hn::MulAdd(hn::Set(f, 0.044715F), cube, x));
    return hn::MulAdd(half, HWY_NAMESPACE::tanh(f, inner), half);
  }

  HWY_INLINE void store(float* y, Some columns) {
    each([&](V x, int i, int j) HWY_ATTR {
      columns.store(x, y + first + i * to.row, j * kStep);
      return x;
    });
  }

  // Numbers beyond the type's range are the nearest within it; those beyond 32 bits must not turn negative.
  template <class T>
  HWY_INLINE void store_bytes(T* y, Some columns) {
    const V most = hn::Set(F(), 255.0F);
    for (int i = 0; i < R; ++i) {
      T* row = y + first + i * to.row;
      hn::Vec<D> integers[N];
      for (int j = 0; j < N; ++j) integers[j] = nearest(hn::Min(t[i][j], most));
      int j = 0;
      if constexpr (kWhole && N >= 2 && kStep == 8) {
        put_bytes(integers[0], integers[1], row);
        j = 2;
      }
      for (; j < N; ++j) columns.store(hn::DemoteTo(hn::Rebind<T, D>(), integers[j]), row, j * kStep);
    }
  }

  // t holds sums of floats already.
  HWY_INLINE void run(Some columns) {
    for (int64_t s = 0; s < to.step_count; ++s) follow(to.steps[s], columns);
    store(static_cast<float*>(to.y), columns);
  }

  HWY_INLINE void run(const hn::Vec<D> (&sums)[R][N], Some columns) {
    const F f;
    for (int j = 0; j < N; ++j) {
      const V scale = columns.load(to.scales + column, j * kStep),
              bias = columns.load(to.bias + column, j * kStep);
      for (int i = 0; i < R; ++i) t[i][j] = hn::MulAdd(hn::ConvertTo(f, sums[i][j]), scale, bias);
    }
    for (int64_t s = 0; s < to.step_count; ++s) follow(to.steps[s], columns);
    if (to.kind == FollowResult::u8) return store_bytes(static_cast<uint8_t*>(to.y), columns);
    if (to.kind == FollowResult::i8) return store_bytes(static_cast<int8_t*>(to.y), columns);
    store(static_cast<float*>(to.y), columns);
  }
};

}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
