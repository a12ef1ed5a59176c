// Elementary functions of f32 vectors within 3 ulp (polynomials: Chebyshev interpolation on each interval),
// with the values at 0, infinity and NaN that libm gives. Included once per instruction set, inside
// foreach_target.
#if defined(TEMPER_SIMD_MATH_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TEMPER_SIMD_MATH_H
#undef TEMPER_SIMD_MATH_H
#else
#define TEMPER_SIMD_MATH_H
#endif

#include <cmath>
#include <limits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D, class V>
HWY_INLINE V polynomial(D d, V x, std::initializer_list<float> highest_first) {
  auto c = highest_first.begin();
  V sum = hn::Set(d, *c++);
  for (; c != highest_first.end(); ++c) sum = hn::MulAdd(sum, x, hn::Set(d, *c));
  return sum;
}

// 2^k for |k| <= 252, in two factors so that neither overflows.
template <class D, class V, class VI>
HWY_INLINE V times_power_of_two(D d, V x, VI k) {
  const hn::RebindToSigned<D> di;
  const auto bias = hn::Set(di, 127);
  const auto half = hn::ShiftRight<1>(k);
  const auto first = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const auto second = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(k, half), bias)));
  return hn::Mul(hn::Mul(x, first), second);
}

constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f, kLog2E = 1.44269504088896341f;

// x = k ln 2 + r, |r| <= ln 2 / 2
template <class D, class V, class VI>
HWY_INLINE V reduce_exp(D d, V x, VI& k) {
  const auto n = hn::Round(hn::Mul(x, hn::Set(d, kLog2E)));
  k = hn::ConvertTo(hn::RebindToSigned<D>(), n);
  return hn::NegMulAdd(n, hn::Set(d, kLn2Low), hn::NegMulAdd(n, hn::Set(d, kLn2High), x));
}

// exp(r) - 1 for |r| <= 0.35
template <class D, class V>
HWY_INLINE V expm1_core(D d, V r) {
  const V p = polynomial(
      d, r, {1.989098819e-4f, 1.393364742e-3f, 8.333310485e-3f, 4.166646674e-2f, 1.666666716e-1f, 0.5f});
  return hn::MulAdd(hn::Mul(r, r), p, r);
}

template <class D, class V>
HWY_INLINE V exp(D d, V x) {
  const V bounded = hn::Min(hn::Max(x, hn::Set(d, -104.0f)), hn::Set(d, 89.0f));
  hn::Vec<hn::RebindToSigned<D>> k;
  const V r = reduce_exp(d, bounded, k);
  const V y = times_power_of_two(d, hn::Add(expm1_core(d, r), hn::Set(d, 1.0f)), k);
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

template <class D, class V>
HWY_INLINE V expm1(D d, V x) {
  const V bounded = hn::Min(hn::Max(x, hn::Set(d, -18.0f)), hn::Set(d, 89.0f));
  hn::Vec<hn::RebindToSigned<D>> k;
  const V r = reduce_exp(d, bounded, k);
  // 2^k (e + 1) - 1 = 2^k e + (2^k - 1), exact where it matters; k = 128 overflows only when the result does
  const V one = hn::Set(d, 1.0f);
  const V scale = times_power_of_two(d, one, hn::Min(k, hn::Set(hn::RebindToSigned<D>(), 127)));
  const V e = expm1_core(d, r);
  const V near = hn::MulAdd(scale, e, hn::Sub(scale, one));
  const V far = times_power_of_two(d, hn::Add(e, one), k);
  const V y = hn::IfThenElse(hn::Gt(x, hn::Set(d, 60.0f)), far, near);
  return hn::IfThenElse(hn::Or(hn::IsNaN(x), hn::Eq(x, hn::Zero(d))), x, y);
}

// log(m 2^k) with m in [sqrt(1/2), sqrt(2)) given as m - 1
template <class D, class V>
HWY_INLINE V log_core(D d, V f, V k) {
  const V square = hn::Mul(f, f);
  V p = polynomial(d, f,
                   {6.971611828e-2f, -1.147973388e-1f, 1.168541983e-1f, -1.242568716e-1f, 1.424905807e-1f,
                    -1.666780263e-1f, 2.000071555e-1f, -2.499999702e-1f, 3.333333135e-1f});
  V y = hn::Mul(hn::Mul(p, square), f);
  y = hn::MulAdd(k, hn::Set(d, kLn2Low), y);
  y = hn::NegMulAdd(hn::Set(d, 0.5f), square, y);
  return hn::MulAdd(k, hn::Set(d, kLn2High), hn::Add(f, y));
}

// x = m 2^k for positive finite x, subnormal included; returns m in [sqrt(1/2), sqrt(2))
template <class D, class V>
HWY_INLINE V split_mantissa(D d, V x, V& k) {
  const hn::RebindToSigned<D> di;
  const auto tiny = hn::Lt(x, hn::Set(d, 1.17549435e-38f));
  const V scaled = hn::IfThenElse(tiny, hn::Mul(x, hn::Set(d, 8388608.0f)), x);
  // subtracting sqrt(1/2)'s bits makes the exponent field count from there
  const auto offset = hn::Set(di, 0x3f3504f3);
  const auto bits = hn::Sub(hn::BitCast(di, scaled), offset);
  const auto exponent = hn::ShiftRight<23>(bits);
  k = hn::ConvertTo(d, exponent);
  k = hn::IfThenElse(tiny, hn::Sub(k, hn::Set(d, 23.0f)), k);
  return hn::BitCast(d, hn::Add(hn::And(bits, hn::Set(di, 0x007fffff)), offset));
}

// -inf at 0, NaN below, x itself at inf and NaN
template <class D, class V>
HWY_INLINE V log_edges(D d, V x, V y) {
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(infinity), y);
  y = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Set(d, std::numeric_limits<float>::quiet_NaN()), y);
  return hn::IfThenElse(hn::Or(hn::IsNaN(x), hn::Eq(x, infinity)), x, y);
}

template <class D, class V>
HWY_INLINE V log(D d, V x) {
  V k;
  const V m = split_mantissa(d, x, k);
  return log_edges(d, x, log_core(d, hn::Sub(m, hn::Set(d, 1.0f)), k));
}

// log(1 + x) = log(u) + (x - (u - 1)) / u with u = 1 + x rounded
template <class D, class V>
HWY_INLINE V log1p(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V u = hn::Add(x, one);
  V k;
  const V m = split_mantissa(d, u, k);
  // what rounding to u lost, from the larger term
  const V lost =
      hn::IfThenElse(hn::Gt(hn::Abs(x), one), hn::Sub(one, hn::Sub(u, x)), hn::Sub(x, hn::Sub(u, one)));
  const V small = hn::IfThenElse(hn::Eq(k, hn::Zero(d)), x, hn::Sub(m, one));
  const V correction = hn::IfThenElse(hn::Eq(k, hn::Zero(d)), hn::Zero(d), hn::Div(lost, u));
  const V y = hn::Add(log_core(d, small, k), correction);
  return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, log_edges(d, u, y));
}

template <class D, class V>
HWY_INLINE V tanh(D d, V x) {
  const V size = hn::Abs(x), square = hn::Mul(x, x), one = hn::Set(d, 1.0f);
  const V p = polynomial(d, square,
                         {2.269501565e-3f, -8.323187009e-3f, 2.176250331e-2f, -5.395846069e-2f,
                          1.333329976e-1f, -3.333333433e-1f});
  const V near = hn::MulAdd(hn::Mul(x, square), p, x);
  const V e = exp(d, hn::Add(size, size));
  const V far = hn::CopySign(hn::Sub(one, hn::Div(hn::Set(d, 2.0f), hn::Add(e, one))), x);
  return hn::IfThenElse(hn::Lt(size, hn::Set(d, 0.625f)), near, far);
}

template <class D, class V>
HWY_INLINE V
sigmoid(D d, V x) {  // e / (1 + e) keeps its digits for large negative x, 1 / (1 + 1 / e) for positive
  const V one = hn::Set(d, 1.0f);
  const V e = exp(d, hn::Neg(hn::Abs(x)));
  const V y = hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

template <class D, class V>
HWY_INLINE V erf(D d, V x) {
  const V size = hn::Abs(x), square = hn::Mul(x, x);
  const V p = polynomial(d, square,
                         {-9.667044651e-6f, 1.126595889e-4f, -8.484080317e-4f, 5.221031606e-3f,
                          -2.686543018e-2f, 1.128378212e-1f, -3.761263788e-1f, 1.283791661e-1f});
  const V near = hn::MulAdd(x, p, x);
  const V bounded = hn::Min(size, hn::Set(d, 4.0f));
  const V q =
      polynomial(d, bounded,
                 {1.637151399e-6f, -4.605804133e-5f, 5.968056503e-4f, -4.759596195e-3f, 2.642113529e-2f,
                  -1.100800857e-1f, -6.318260431e-1f, -1.130233407f, 3.201380605e-4f});
  const V far = hn::CopySign(hn::Sub(hn::Set(d, 1.0f), exp(d, q)), x);
  return hn::IfThenElse(hn::IsNaN(x), x, hn::IfThenElse(hn::Lt(size, hn::Set(d, 1.0f)), near, far));
}

// The normal distribution up to x within 3e-7, from exp(-x^2 / 2) and a polynomial in 1 / (1 + |x| /
// sqrt(8)).
template <class D, class V>
HWY_INLINE V normal_up_to(D d, V x, V& density) {  // density: exp(-x^2 / 2)
  const V one = hn::Set(d, 1.0f), size = hn::Abs(x);
  density = exp(d, hn::Mul(hn::Mul(size, hn::Set(d, -0.5f)), size));
  const V u = hn::Div(one, hn::MulAdd(size, hn::Set(d, 0.353553391f), one));
  const V p = polynomial(d, u,
                         {-0.029465697f, 0.141950592f, -0.242899328f, 0.138228059f, -0.012754774f,
                          0.101105772f, 0.121612400f, 0.141179264f, 0.141043693f});
  const V tail = hn::Mul(hn::Mul(p, u), density);  // up to -|x|
  return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail));
}

template <class D, class V>
HWY_INLINE V gelu(D d, V x) {
  V density;
  const V y = hn::Mul(x, normal_up_to(d, x, density));
  // 0 times infinity is none of its values
  return hn::IfThenElse(hn::Lt(x, hn::Set(d, -20.0f)), hn::Neg(hn::Zero(d)), y);
}

template <class D, class V>
HWY_INLINE V gelu_slope(D d, V x) {
  V density;
  const V below = normal_up_to(d, x, density);
  const V bounded = hn::IfThenElse(hn::Gt(hn::Abs(x), hn::Set(d, 20.0f)), hn::Zero(d), x);
  return hn::MulAdd(hn::Mul(bounded, density), hn::Set(d, 0.398942280f), below);
}

}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
