// The transforms of F(4x4, 3x3), for each instruction set.
#include <type_traits>

#include "devices/cpu/kernels/targets.h"
#include "devices/cpu/kernels/winograd.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_winograd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "devices/cpu/kernels/simd_bf16.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(D()));

V number(double value) { return hn::Set(D(), static_cast<float>(value)); }

// The points 0, P, -P, Q, -Q and infinity. With 5/8 and 3/2 instead of the usual 1 and 2 all constants stay
// near 1, and rounding errors are a third: 1.7 times those of the plain sum.
constexpr double P = 5.0 / 8, Q = 3.0 / 2, PP = P * P, QQ = Q * Q;
constexpr double kOfZero = PP * QQ, kOfP = 2 * PP * (PP - QQ), kOfQ = 2 * QQ * (QQ - PP);

// The values at the six points: a and c are the even parts at P and Q, b and e the odd ones.
HWY_INLINE void at_points(V zero, V a, V b, V c, V e, V infinity, V* y, int step) {
  y[0] = zero;
  y[step] = hn::Add(a, b);
  y[2 * step] = hn::Sub(a, b);
  y[3 * step] = hn::Add(c, e);
  y[4 * step] = hn::Sub(c, e);
  y[5 * step] = infinity;
}

// Along one axis; x and y are vectors of that axis, `step` apart, perhaps the same ones.
struct Patch {
  static constexpr int kIn = 6, kOut = 6;
  HWY_INLINE void operator()(const V* x, V* y, int step) const {
    const V pp = number(PP), qq = number(QQ), both = number(PP + QQ), zero = number(kOfZero);
    const V a = hn::NegMulAdd(qq, x[2 * step], x[4 * step]), c = hn::NegMulAdd(pp, x[2 * step], x[4 * step]);
    const V b = hn::Mul(number(P), hn::NegMulAdd(qq, x[step], x[3 * step]));
    const V e = hn::Mul(number(Q), hn::NegMulAdd(pp, x[step], x[3 * step]));
    const V first = hn::MulAdd(zero, x[0], hn::NegMulAdd(both, x[2 * step], x[4 * step]));
    const V last = hn::MulAdd(zero, x[step], hn::NegMulAdd(both, x[3 * step], x[5 * step]));
    at_points(first, a, b, c, e, last, y, step);
  }
};

struct Weights {
  static constexpr int kIn = 3, kOut = 6;
  HWY_INLINE void operator()(const V* x, V* y, int step) const {
    const V first = x[0], middle = x[step], last = x[2 * step];
    const V a = hn::MulAdd(number(PP / kOfP), last, hn::Mul(number(1 / kOfP), first));
    const V c = hn::MulAdd(number(QQ / kOfQ), last, hn::Mul(number(1 / kOfQ), first));
    const V b = hn::Mul(number(P / kOfP), middle), e = hn::Mul(number(Q / kOfQ), middle);
    at_points(hn::Mul(number(1 / kOfZero), first), a, b, c, e, last, y, step);
  }
};

struct Result {
  static constexpr int kIn = 6, kOut = 4;
  HWY_INLINE void operator()(const V* x, V* y, int step) const {
    const V s = hn::Add(x[step], x[2 * step]), d = hn::Sub(x[step], x[2 * step]);
    const V t = hn::Add(x[3 * step], x[4 * step]), e = hn::Sub(x[3 * step], x[4 * step]);
    const V last = x[5 * step];
    y[0] = hn::Add(x[0], hn::Add(s, t));
    y[step] = hn::MulAdd(number(P), d, hn::Mul(number(Q), e));
    y[2 * step] = hn::MulAdd(number(PP), s, hn::Mul(number(QQ), t));
    y[3 * step] = hn::MulAdd(number(PP * P), d, hn::MulAdd(number(QQ * Q), e, last));
  }
};

struct Spread {  // the transpose of Result
  static constexpr int kIn = 4, kOut = 6;
  HWY_INLINE void operator()(const V* x, V* y, int step) const {
    const V first = x[0], last = x[3 * step];
    const V a = hn::MulAdd(number(PP), x[2 * step], first), c = hn::MulAdd(number(QQ), x[2 * step], first);
    const V b = hn::MulAdd(number(PP * P), last, hn::Mul(number(P), x[step]));
    const V e = hn::MulAdd(number(QQ * Q), last, hn::Mul(number(Q), x[step]));
    at_points(first, a, b, c, e, last, y, step);
  }
};

struct Gradient {  // the transpose of Weights
  static constexpr int kIn = 6, kOut = 3;
  HWY_INLINE void operator()(const V* x, V* y, int step) const {
    const V s = hn::Add(x[step], x[2 * step]), d = hn::Sub(x[step], x[2 * step]);
    const V t = hn::Add(x[3 * step], x[4 * step]), e = hn::Sub(x[3 * step], x[4 * step]);
    const V last = x[5 * step];
    y[0] =
        hn::MulAdd(number(1 / kOfZero), x[0], hn::MulAdd(number(1 / kOfP), s, hn::Mul(number(1 / kOfQ), t)));
    y[step] = hn::MulAdd(number(P / kOfP), d, hn::Mul(number(Q / kOfQ), e));
    y[2 * step] = hn::MulAdd(number(PP / kOfP), s, hn::MulAdd(number(QQ / kOfQ), t, last));
  }
};

// Both axes: `tile` holds a square of Axis::kIn, then of Axis::kOut, rows kWinogradPatch apart.
template <class Axis>
HWY_INLINE void both_axes(V* tile) {
  constexpr int kRow = kWinogradPatch;
  for (int column = 0; column < Axis::kIn; ++column) Axis()(tile + column, tile + column, kRow);
  for (int row = 0; row < Axis::kOut; ++row) Axis()(tile + row * kRow, tile + row * kRow, 1);
}

// A square of places, transformed.
template <class Axis, class Source>
HWY_INLINE void transformed(const Source* const* places, int64_t c, V* tile) {
  for (int i = 0; i < Axis::kIn; ++i)
    for (int j = 0; j < Axis::kIn; ++j)
      tile[i * kWinogradPatch + j] = load(D(), places[i * Axis::kIn + j] + c);
  both_axes<Axis>(tile);
}

template <class Axis, class Number, class Source>
void from_places(const Source* const* places, int64_t channels, const WinogradPlace& to) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    V tile[kWinogradPlanes];
    transformed<Axis>(places, c, tile);
    if constexpr (std::is_same_v<Number, float>) {
      float* out = to.start + c / to.panel * to.panel_step + c % to.panel;
      for (int p = 0; p < kWinogradPlanes; ++p) hn::StoreU(tile[p], D(), out + p * to.plane);
    } else {
      float* out = to.start + c / 2 / to.panel * to.panel_step + c / 2 % to.panel;
      for (int p = 0; p < kWinogradPlanes; ++p)
        store(D(), tile[p], reinterpret_cast<Bf16*>(out + p * to.plane));
    }
  }
}

// Two squares, whose numbers pair.
template <class Axis, class Source>
void from_two(const Source* const* places, int64_t channels, const WinogradPlace& to) {
  const hn::Rebind<uint32_t, D> words;
  for (int64_t c = 0; c < channels; c += kLanes) {
    V first[kWinogradPlanes], second[kWinogradPlanes];
    transformed<Axis>(places, c, first);
    transformed<Axis>(places + Axis::kIn * Axis::kIn, c, second);
    float* out = to.start + c / to.panel * to.panel_step + c % to.panel;
    for (int p = 0; p < kWinogradPlanes; ++p) {
      const auto low = hn::PromoteTo(words, narrowed(D(), first[p])),
                 high = hn::PromoteTo(words, narrowed(D(), second[p]));
      hn::StoreU(hn::BitCast(D(), hn::Or(low, hn::ShiftLeft<16>(high))), D(), out + p * to.plane);
    }
  }
}

template <class Axis>
HWY_INLINE void from_planes(const float* from, int64_t plane, V* tile) {
  for (int p = 0; p < kWinogradPlanes; ++p) tile[p] = hn::LoadU(D(), from + p * plane);
  both_axes<Axis>(tile);
}

template <class Number>
HWY_INLINE V finished(V y, int64_t c, int64_t offset, const WinogradResult<Number>& to) {
  const D d;
  if (to.bias) y = hn::Add(y, hn::LoadU(d, to.bias + c));
  for (int64_t i = 0; i < to.post_count; ++i) {
    const WinogradPost<Number>& post = to.posts[i];
    y = post.operand ? hn::Add(y, load(d, post.operand + offset + c))
                     : hn::Min(hn::Set(d, post.high), hn::Max(hn::Set(d, post.low), y));  // NaN stays
  }
  return y;
}

template <class Number>
void to_result(const float* from, int64_t plane, int64_t channels, const WinogradResult<Number>& to) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    V tile[kWinogradPlanes];
    from_planes<Result>(from + c, plane, tile);
    for (int64_t i = 0; i < kWinogradTile; ++i)
      for (int64_t j = 0; j < kWinogradTile; ++j) {
        const int64_t offset = to.offsets[static_cast<size_t>(i * kWinogradTile + j)];
        if (offset < 0) continue;
        store(D(), finished(tile[i * kWinogradPatch + j], c, offset, to), to.y + offset + c);
      }
  }
}

void to_gradient(const float* from, int64_t plane, int64_t channels, float* const* taps) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    V tile[kWinogradPlanes];
    from_planes<Gradient>(from + c, plane, tile);
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) hn::StoreU(tile[i * kWinogradPatch + j], D(), taps[i * 3 + j] + c);
  }
}

const WinogradTransforms<float>& of_numbers() {
  static constexpr WinogradTransforms<float> kAll{from_places<Patch, float>,
                                                  from_places<Patch, float>,
                                                  from_places<Weights, float>,
                                                  from_places<Weights, float>,
                                                  to_result<float>,
                                                  from_places<Spread, float>,
                                                  to_gradient};
  return kAll;
}

const WinogradTransforms<Bf16>& of_pairs() {
  static constexpr WinogradTransforms<Bf16> kAll{from_places<Patch, Bf16>,
                                                 from_two<Patch>,
                                                 from_places<Weights, Bf16>,
                                                 from_two<Weights>,
                                                 to_result<Bf16>,
                                                 from_two<Spread>,
                                                 to_gradient};
  return kAll;
}

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(of_numbers);
HWY_EXPORT(of_pairs);
const WinogradTransforms<float>& winograd_transforms(float) { return HWY_DYNAMIC_DISPATCH(of_numbers)(); }
const WinogradTransforms<Bf16>& winograd_transforms(Bf16) { return HWY_DYNAMIC_DISPATCH(of_pairs)(); }
}  // namespace temper::cpu
#endif
