// Row functions, for each instruction set.
#include <cstring>

#include "devices/cpu/kernels/rows.h"
#include "devices/cpu/kernels/targets.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_rows.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "devices/cpu/kernels/simd_math.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr int64_t kMaxLanes = 16;

int64_t lanes() { return static_cast<int64_t>(hn::Lanes(D())); }

double total(V sum) {
  HWY_ALIGN float parts[kMaxLanes];
  hn::Store(sum, D(), parts);
  double result = 0;
  for (int64_t i = 0; i < lanes(); ++i) result += static_cast<double>(parts[i]);
  return result;
}

// The last n < lanes elements, the rest filled.
V load_rest(const float* x, int64_t n, float fill) {
  HWY_ALIGN float rest[kMaxLanes];
  for (int64_t i = 0; i < lanes(); ++i) rest[i] = i < n ? x[i] : fill;
  return hn::Load(D(), rest);
}

void store_rest(V v, int64_t n, float* y) {
  HWY_ALIGN float rest[kMaxLanes];
  hn::Store(v, D(), rest);
  std::memcpy(y, rest, static_cast<size_t>(n) * sizeof(float));
}

// Sums term(i, n, load) over the row: pieces in f32, their sums in f64. load(p, fill) reads p[i..i + n).
template <class Term>
double sum_of(int64_t n, const Term& term) {
  constexpr int64_t kPiece = 64 * kMaxLanes;
  const D d;
  double result = 0;
  int64_t i = 0;
  while (i + lanes() <= n) {
    V a = hn::Zero(d), b = hn::Zero(d);
    const int64_t end = i + kPiece < n ? i + kPiece : n;
    for (; i + 2 * lanes() <= end; i += 2 * lanes()) {
      a = hn::Add(a, term(i, lanes()));
      b = hn::Add(b, term(i + lanes(), lanes()));
    }
    for (; i + lanes() <= end; i += lanes()) a = hn::Add(a, term(i, lanes()));
    result += total(hn::Add(a, b));
  }
  if (i < n) result += total(term(i, n - i));
  return result;
}

V load(const float* x, int64_t i, int64_t n, float fill) {
  return n == lanes() ? hn::LoadU(D(), x + i) : load_rest(x + i, n, fill);
}
void store(V v, int64_t i, int64_t n, float* y) {
  if (n == lanes())
    hn::StoreU(v, D(), y + i);
  else
    store_rest(v, n, y + i);
}
// Calls each(i, n) for whole vectors and the rest.
template <class Each>
void over_row(int64_t n, const Each& each) {
  int64_t i = 0;
  for (; i + lanes() <= n; i += lanes()) each(i, lanes());
  if (i < n) each(i, n - i);
}

V max_of(V a, V b) { return hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::Gt(a, b), a, b)); }

float max(const float* x, int64_t n) {
  V best = hn::Set(D(), x[0]);
  over_row(n, [&](int64_t i, int64_t m) HWY_ATTR { best = max_of(best, load(x, i, m, x[0])); });
  HWY_ALIGN float parts[kMaxLanes];
  hn::Store(best, D(), parts);
  for (int64_t k = 1; k < lanes(); ++k) best = max_of(best, hn::Set(D(), parts[k]));
  return hn::GetLane(best);
}

double sum(const float* x, int64_t n) {
  return sum_of(n, [&](int64_t i, int64_t m) HWY_ATTR { return load(x, i, m, 0); });
}

double sum_exp(const float* x, float shift, int64_t n, float* y) {
  const V s = hn::Set(D(), shift);
  return sum_of(n, [&](int64_t i, int64_t m) HWY_ATTR {
    const V e = exp(D(), hn::Sub(load(x, i, m, -std::numeric_limits<float>::infinity()), s));
    if (y) store(e, i, m, y);
    return e;
  });
}

void affine(const float* x, float factor, float shift, int64_t n, float* y) {
  const V f = hn::Set(D(), factor), s = hn::Set(D(), shift);
  over_row(n, [&](int64_t i, int64_t m) HWY_ATTR { store(hn::MulAdd(load(x, i, m, 0), f, s), i, m, y); });
}

double sum_square(const float* x, float centre, int64_t n) {
  const V c = hn::Set(D(), centre);
  return sum_of(n, [&](int64_t i, int64_t m) HWY_ATTR {
    const V z = hn::Sub(load(x, i, m, centre), c);
    return hn::Mul(z, z);
  });
}

double sum_product(const float* x, const float* y, int64_t n) {
  return sum_of(n,
                [&](int64_t i, int64_t m) HWY_ATTR { return hn::Mul(load(x, i, m, 0), load(y, i, m, 0)); });
}

void softmax_grad(const float* y, const float* dy, float mean, int64_t n, float* dx) {
  const V s = hn::Set(D(), mean);
  over_row(n, [&](int64_t i, int64_t m)
                  HWY_ATTR { store(hn::Mul(load(y, i, m, 0), hn::Sub(load(dy, i, m, 0), s)), i, m, dx); });
}

void normalise(const float* x, float mean, float rstd, const float* scale, const float* bias, int64_t n,
               float* y) {
  const V c = hn::Set(D(), mean), r = hn::Set(D(), rstd);
  over_row(n, [&](int64_t i, int64_t m) HWY_ATTR {
    const V z = hn::Mul(hn::Sub(load(x, i, m, 0), c), r);
    const V b = bias ? load(bias, i, m, 0) : hn::Zero(D());
    store(hn::MulAdd(z, load(scale, i, m, 0), b), i, m, y);
  });
}

void add_to(V v, int64_t i, int64_t n, float* into) { store(hn::Add(load(into, i, n, 0), v), i, n, into); }

void norm_sums(const float* x, const float* dy, const float* scale, float mean, float rstd, int64_t n,
               double* sum_g, double* sum_gz, float* dscale, float* dbias) {
  const V c = hn::Set(D(), mean), r = hn::Set(D(), rstd);
  *sum_g = sum_of(
      n, [&](int64_t i, int64_t m) HWY_ATTR { return hn::Mul(load(dy, i, m, 0), load(scale, i, m, 0)); });
  *sum_gz = sum_of(n, [&](int64_t i, int64_t m) HWY_ATTR {
    const V z = hn::Mul(hn::Sub(load(x, i, m, 0), c), r), d = load(dy, i, m, 0), dz = hn::Mul(d, z);
    if (dscale) add_to(dz, i, m, dscale);
    if (dbias) add_to(d, i, m, dbias);
    return hn::Mul(dz, load(scale, i, m, 0));
  });
}

void norm_grad(const float* x, const float* dy, const float* scale, float mean, float rstd, float mean_g,
               float mean_gz, int64_t n, float* dx) {
  const V c = hn::Set(D(), mean), r = hn::Set(D(), rstd), g0 = hn::Set(D(), mean_g),
          g1 = hn::Set(D(), mean_gz);
  over_row(n, [&](int64_t i, int64_t m) HWY_ATTR {
    const V z = hn::Mul(hn::Sub(load(x, i, m, 0), c), r);
    const V g = hn::MulSub(load(dy, i, m, 0), load(scale, i, m, 0), g0);
    store(hn::Mul(r, hn::NegMulAdd(z, g1, g)), i, m, dx);
  });
}

const RowFunctions* functions() {
  static constexpr RowFunctions all{max,         sum,          sum_exp,   affine,    sum_square,
                                    sum_product, softmax_grad, normalise, norm_sums, norm_grad};
  return &all;
}

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(functions);
const RowFunctions& row_functions() { return *HWY_DYNAMIC_DISPATCH(functions)(); }
}  // namespace temper::cpu
#endif
