// Products of 8-bit integers, for each instruction set.
#include <algorithm>
#include <cstring>

#include "devices/cpu/kernels/integer_product.h"
#include "devices/cpu/kernels/targets.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_integer_product.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "devices/cpu/kernels/simd_follow.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using Sums = hn::CappedTag<int32_t, 16>;
using Narrow = hn::CappedTag<int32_t, 8>;  // of depthwise convolutions: bytes in one block of 16

constexpr int kLanes = kLanesOf<Sums>;

// Few rows keep the units busy, for a sum takes several instructions; with more, compilers spill sums.
constexpr int rows_of(int vectors) {
  if (HWY_TARGET <= HWY_AVX3) return 6;
  return vectors == 3 ? 3 : 4;
}

// The results of `columns` columns from `column` on, their first row `row` elements behind the result's
// first.
template <class D, int R, int N>
HWY_INLINE void finish(D, const hn::Vec<D> (&sums)[R][N], const FollowResult& to, int64_t row, int64_t column,
                       int64_t columns) {
  const int64_t first = to.first + row + column;
  if (columns >= N * kLanesOf<D>) {
    Tile<D, R, N, true> whole(to, first, column);
    return whole.run(sums, {columns});
  }
  Tile<D, R, N, false> part(to, first, column);
  part.run(sums, {columns});
}

// Pairs of 16-bit numbers, as many as D has lanes, whose products are added up by pair.
#if HWY_TARGET == HWY_SCALAR
struct Pair {
  int32_t x, y;
};
template <class D>
Pair load_pairs(D, const int16_t* from) {
  return {from[0], from[1]};
}
template <class D>
void repeated_pairs(D, const uint8_t* from, Pair& even, Pair& odd) {
  even = {from[0], from[2]};
  odd = {from[1], from[3]};
}
template <bool, class D, class Byte>
void pairs_of(D, const Byte* x, const Byte* y, int64_t channels, Pair& low, Pair& high) {
  low = {x[0], y[0]};
  high = channels > 1 ? Pair{x[1], y[1]} : Pair{0, 0};
}
template <class D>
hn::Vec<D> add_pairs(D d, Pair a, Pair b, hn::Vec<D> sum) {
  return hn::Add(sum, hn::Set(d, a.x * b.x + a.y * b.y));
}
#else
template <class D>
using Words = hn::Repartition<int16_t, D>;
template <class D>
HWY_INLINE hn::Vec<Words<D>> load_pairs(D, const int16_t* from) {
  return hn::LoadU(Words<D>(), from);
}
template <class D>
HWY_INLINE void repeated_pairs(D d, const uint8_t* from, hn::Vec<Words<D>>& even, hn::Vec<Words<D>>& odd) {
  const hn::RebindToUnsigned<Words<D>> words;
  int32_t four;
  std::memcpy(&four, from, sizeof(four));
  const auto all = hn::BitCast(words, hn::Set(d, four));
  even = hn::BitCast(Words<D>(), hn::And(all, hn::Set(words, 255)));
  odd = hn::BitCast(Words<D>(), hn::ShiftRight<8>(all));
}
template <bool kWhole, class D, class Byte>
HWY_INLINE void pairs_of(D, const Byte* x, const Byte* y, int64_t channels, hn::Vec<Words<D>>& low,
                         hn::Vec<Words<D>>& high) {
  const hn::Rebind<Byte, Words<D>> bytes;
  const Columns<decltype(bytes), kWhole> columns{channels};
  const auto a = columns.load(x, 0), b = columns.load(y, 0);
  low = hn::PromoteTo(Words<D>(), hn::InterleaveLower(bytes, a, b));
  high = hn::PromoteTo(Words<D>(), hn::InterleaveUpper(bytes, a, b));
}
template <class D>
HWY_INLINE hn::Vec<D> add_pairs(D d, hn::Vec<Words<D>> a, hn::Vec<Words<D>> b, hn::Vec<D> sum) {
  hn::Vec<D> unused = sum;  // on this architecture neighbours go to one sum
  return hn::ReorderWidenMulAccumulate(d, a, b, sum, unused);
}
#endif

// Bytes of x times bytes of weights, four to a sum: pairs of products are added up in 16 bits.
#if HWY_TARGET == HWY_AVX3
#define TEMPER_MULTIPLY_BYTES _mm512_maddubs_epi16
#elif HWY_TARGET == HWY_AVX2
#define TEMPER_MULTIPLY_BYTES _mm256_maddubs_epi16
#elif HWY_TARGET == HWY_SSE4
#define TEMPER_MULTIPLY_BYTES _mm_maddubs_epi16
#endif
#ifdef TEMPER_MULTIPLY_BYTES
constexpr bool kQuads = true;
template <int R, int N>
HWY_INLINE void add_quads(const IntegerProduct& p, const uint8_t* a, hn::Vec<Sums> (&sums)[R][N]) {
  const Sums d;
  const auto ones = hn::Set(Words<Sums>(), 1);
  const int8_t* b = p.panel.quads;
  for (int64_t k = 0; k < p.panel.quad_count; ++k, b += 4 * N * kLanes) {
    const uint8_t* here = a + p.panel.quad_at[k];
    hn::Vec<hn::Repartition<int8_t, Sums>> columns[N];
    for (int j = 0; j < N; ++j) columns[j] = hn::LoadU(hn::Repartition<int8_t, Sums>(), b + 4 * j * kLanes);
    for (int i = 0; i < R; ++i) {
      int32_t four;
      std::memcpy(&four, here + i * p.a_row, sizeof(four));
      const auto x = hn::Set(d, four);
      for (int j = 0; j < N; ++j) {
        const hn::Vec<Words<Sums>> pairs{TEMPER_MULTIPLY_BYTES(x.raw, columns[j].raw)};
        sums[i][j] = add_pairs(d, pairs, ones, sums[i][j]);
      }
    }
  }
}
#undef TEMPER_MULTIPLY_BYTES
#else
constexpr bool kQuads = false;
template <int R, int N>
void add_quads(const IntegerProduct&, const uint8_t*, hn::Vec<Sums> (&)[R][N]) {}
#endif

template <int R, int N>
HWY_INLINE void tile(const IntegerProduct& p, int64_t row) {
  const Sums d;
  hn::Vec<Sums> sums[R][N];
  for (int i = 0; i < R; ++i)
    for (int j = 0; j < N; ++j) sums[i][j] = hn::Zero(d);
  const uint8_t* a = p.a + row * p.a_row;
  add_quads(p, a, sums);
  const int16_t* b = p.panel.wides;
  for (int64_t k = 0; k < p.panel.wide_count; ++k, b += 4 * N * kLanes) {
    const uint8_t* here = a + p.panel.wide_at[k];
    decltype(load_pairs(d, b)) columns[2][N];
    for (int j = 0; j < N; ++j) {
      columns[0][j] = load_pairs(d, b + 2 * j * kLanes);
      columns[1][j] = load_pairs(d, b + 2 * (N + j) * kLanes);
    }
    for (int i = 0; i < R; ++i) {
      decltype(load_pairs(d, b)) even, odd;
      repeated_pairs(d, here + i * p.a_row, even, odd);
      for (int j = 0; j < N; ++j) {
        sums[i][j] = add_pairs(d, even, columns[0][j], sums[i][j]);
        sums[i][j] = add_pairs(d, odd, columns[1][j], sums[i][j]);
      }
    }
  }
  finish(d, sums, p.result, row * p.result.row, 0, p.columns);
}

// The rows that are left, fewer than R + 1.
template <int R, int N>
void rest(const IntegerProduct& p, int64_t row) {
  if constexpr (R > 0) {
    if (p.rows - row < R) return rest<R - 1, N>(p, row);
    tile<R, N>(p, row);
  }
}

template <int N>
void strips(const IntegerProduct& p) {
  constexpr int kRows = rows_of(N);
  int64_t row = 0;
  for (; row + kRows <= p.rows; row += kRows) tile<kRows, N>(p, row);
  rest<kRows - 1, N>(p, row);
}

void product(const IntegerProduct& p) {
  static_assert(kMostVectors == 3);
  if (p.panel.vectors == 3) return strips<3>(p);
  p.panel.vectors == 2 ? strips<2>(p) : strips<1>(p);
}

// Two vectors of channels of one place, whose taps are `at`. kPairs: as many as there are; 0: any number.
template <int kPairs, bool kWhole, class Byte>
HWY_INLINE void sum_place(const IntegerTaps<Byte>& p, const Byte* const* at, int64_t row, int64_t c) {
  constexpr int64_t kChannels = 2 * kLanesOf<Narrow>;
  const Narrow d;
  const int64_t channels = p.channels - c, pairs = kPairs > 0 ? kPairs : p.pairs;
  hn::Vec<Narrow> sums[1][2] = {{hn::Zero(d), hn::Zero(d)}};
  const int16_t* w = p.weights + 2 * c;
  for (int64_t k = 0; k < pairs; ++k, w += 2 * p.weight_row) {
    decltype(load_pairs(d, w)) low, high;
    pairs_of<kWhole>(d, at[2 * k] + c, at[2 * k + 1] + c, channels, low, high);
    sums[0][0] = add_pairs(d, low, load_pairs(d, w), sums[0][0]);
    sums[0][1] = add_pairs(d, high, load_pairs(d, w + kChannels), sums[0][1]);
  }
  finish(d, sums, p.result, row, c, channels);
}

template <int kPairs, class Byte>
void sum_places(const IntegerTaps<Byte>& p) {
  constexpr int64_t kChannels = 2 * kLanesOf<Narrow>;
  const Byte* at[2 * kMostIntegerPairs];
  std::copy_n(p.taps, 2 * p.pairs, at);
  for (int64_t place = 0; place < p.places; ++place) {
    const int64_t row = place * p.result.row;
    int64_t c = 0;
    for (; c + kChannels <= p.channels; c += kChannels) sum_place<kPairs, true>(p, at, row, c);
    if (c < p.channels) sum_place<kPairs, false>(p, at, row, c);
    for (int64_t k = 0; k < 2 * p.pairs; ++k) at[k] += p.steps[k];
  }
}

template <class Byte>
void sum_taps(const IntegerTaps<Byte>& p) {
  constexpr int kOfThreeByThree = 5;
  p.pairs == kOfThreeByThree ? sum_places<kOfThreeByThree>(p) : sum_places<0>(p);
}

const IntegerFunctions* all_functions() {
  static constexpr IntegerFunctions kAll{kLanes, kQuads, product, sum_taps<uint8_t>, sum_taps<int8_t>};
  return &kAll;
}

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(all_functions);
const IntegerFunctions& integer_functions() {
  static const IntegerFunctions& all = *HWY_DYNAMIC_DISPATCH(all_functions)();
  return all;
}
}  // namespace temper::cpu
#endif
