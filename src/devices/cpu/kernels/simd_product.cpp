// Tiles of a product in registers, for each instruction set.
#include "devices/cpu/kernels/product.h"
#include "devices/cpu/kernels/targets.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_product.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
// As many sums as the registers hold: 6 x 64 in 32 of 16 numbers, 6 x 16 in 16 of 8, 3 x 16 in 16 of 4.
constexpr bool kManyRegisters = HWY_TARGET <= HWY_AVX3;
constexpr int kPanel = kManyRegisters ? 64 : 16;
constexpr int kRows = kLanes >= 8 ? 6 : 3;

struct Numbers {
  HWY_INLINE V operator()(V x, V y, V sum) const { return hn::MulAdd(x, y, sum); }
};

struct Pairs {
  HWY_INLINE V operator()(V x, V y, V sum) const {
#if HWY_TARGET == HWY_AVX3
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(x.raw), "v"(y.raw));
#endif
    return sum;
  }
};

HWY_INLINE V finished(V sum, const PanelFinish& finish, int column) {
  const D d;
  if (finish.bias) sum = hn::Add(sum, hn::LoadU(d, finish.bias + column));
  return hn::Min(hn::Set(d, finish.high), hn::Max(hn::Set(d, finish.low), sum));
}

template <class Add, int R, int N>
HWY_INLINE void tile(const PanelProduct& p, const float* a, float* c) {
  const D d;
  V sums[R][N];
  for (int i = 0; i < R; ++i)
    for (int j = 0; j < N; ++j) sums[i][j] = hn::Zero(d);
  const float* b = p.b;
  for (int64_t k = 0; k < p.depth; ++k, b += kPanel, a += p.a_depth) {
    V columns[N];
    for (int j = 0; j < N; ++j) columns[j] = hn::LoadU(d, b + j * kLanes);
    for (int i = 0; i < R; ++i) {
      const V x = hn::Set(d, a[i * p.a_row]);
      for (int j = 0; j < N; ++j) sums[i][j] = Add()(x, columns[j], sums[i][j]);
    }
  }
  if (p.finish)
    for (int i = 0; i < R; ++i)
      for (int j = 0; j < N; ++j) sums[i][j] = finished(sums[i][j], *p.finish, j * kLanes);
  for (int i = 0; i < R; ++i)
    for (int j = 0; j < N; ++j) {
      float* to = c + i * p.c_row + j * kLanes;
      hn::StoreU(p.adds ? hn::Add(hn::LoadU(d, to), sums[i][j]) : sums[i][j], d, to);
    }
}

// The rows that are left, fewer than R + 1.
template <class Add, int R, int N>
void rest(const PanelProduct& p, int64_t row) {
  if constexpr (R > 0) {
    if (p.rows - row < R) return rest<Add, R - 1, N>(p, row);
    tile<Add, R, N>(p, p.a + row * p.a_row, p.c + row * p.c_row);
  }
}

template <class Add, int N>
void strips(const PanelProduct& p) {
  int64_t row = 0;
  for (; row + kRows <= p.rows; row += kRows)
    tile<Add, kRows, N>(p, p.a + row * p.a_row, p.c + row * p.c_row);
  rest<Add, kRows - 1, N>(p, row);
}

template <class Add>
void all_strips(const PanelProduct& p) {
  constexpr int kUnit = 16 / kLanes;  // vectors that 16 columns take
  if (p.columns == 16) return strips<Add, kUnit>(p);
  if constexpr (kPanel > 16) {
    if (p.columns == 32) return strips<Add, 2 * kUnit>(p);
    if (p.columns == 48) return strips<Add, 3 * kUnit>(p);
    strips<Add, 4 * kUnit>(p);
  }
}

void run(const PanelProduct& p) {
  if (HWY_TARGET == HWY_AVX3 && p.pairs) return all_strips<Pairs>(p);
  all_strips<Numbers>(p);
}

int64_t panel() { return kPanel; }

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(run);
HWY_EXPORT(panel);
void multiply(const PanelProduct& product) { HWY_DYNAMIC_DISPATCH(run)(product); }
int64_t product_panel() { return HWY_DYNAMIC_DISPATCH(panel)(); }
}  // namespace temper::cpu
#endif
