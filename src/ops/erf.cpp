// The error function by rational approximations. W. J. Cody, "Rational Chebyshev approximations for the error
// function", Mathematics of Computation 23 (1969), pp. 631-637; coefficients as in SPECFUN's CALERF.
#include <numbers>

#include "ops/composite.h"
#include "ops/composites.h"

namespace temper::ops {

Value erf(Builder& b, Value x) { return b.emit(erf_op, {x}); }

static std::vector<Type> infer_erf(const InferContext& context) {
  require_inputs(context, 1, 1);
  return {require_float(context, 0, "x")};
}

// Highest power first.
static Value polynomial(Builder& b, Value x, std::span<const double> coefficients) {
  Value sum = mul(b, x, coefficients.front());
  for (double coefficient : coefficients.subspan(1, coefficients.size() - 2))
    sum = mul(b, add(b, sum, coefficient), x);
  return add(b, sum, coefficients.back());
}

// |x| <= 0.46875: erf(x) = x p(x^2) / q(x^2)
static Value near_zero(Builder& b, Value x) {
  static constexpr double kP[]{1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2,
                               3.77485237685302021e2, 3.20937758913846947e3};
  static constexpr double kQ[]{1, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
                               2.84423683343917062e3};
  const Value square = mul(b, x, x);
  return mul(b, x, div(b, polynomial(b, square, kP), polynomial(b, square, kQ)));
}

// 0.46875 <= y: 1 - erf(y) = exp(-y^2) p(y) / q(y). Cody's third interval begins at 4, where the whole of it
// is 1.6e-8: this one still has it to 1e-8 of itself up to 6, and from there the result is 1.
static Value far(Builder& b, Value y) {
  static constexpr double kP[]{2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0,
                               6.61191906371416295e1,  2.98635138197400131e2,  8.81952221241769090e2,
                               1.71204761263407058e3,  2.05107837782607147e3,  1.23033935479799725e3};
  static constexpr double kQ[]{1,
                               1.57449261107098347e1,
                               1.17693950891312499e2,
                               5.37181101862009858e2,
                               1.62138957456669019e3,
                               3.29079923573345963e3,
                               4.36261909014324716e3,
                               3.43936767414372164e3,
                               1.23033935480374942e3};
  const Value rest = mul(b, exp(b, neg(b, mul(b, y, y))), div(b, polynomial(b, y, kP), polynomial(b, y, kQ)));
  return sub(b, b.scalar(b.dtype(y), 1), rest);
}

static std::vector<Value> decompose_erf(Builder& b, const NodeView& view) {
  const Value x = widen(b, view.inputs[0]);
  const DType dtype = b.dtype(x);
  const Value size = abs(b, x), limit = b.scalar(dtype, 0.46875);
  const Value tail = mul(b, sign(b, x), far(b, min(b, size, 6)));
  const Value y =
      select(b, compare(b, size, limit, "le"), near_zero(b, clamp(b, x, -0.46875, 0.46875)), tail);
  return {convert(b, y, b.dtype(view.inputs[0]))};
}

// 2 / sqrt(pi) exp(-x^2)
static std::vector<Value> vjp_erf(Builder& b, const VjpContext& context) {
  const Value x = widen(b, context.inputs[0]);
  const Value slope = mul(b, exp(b, neg(b, mul(b, x, x))), 2 * std::numbers::inv_sqrtpi);
  return {convert(b, mul(b, widen(b, context.cotangents[0]), slope), b.dtype(context.inputs[0]))};
}

static std::vector<Sample> samples_erf() {
  const Fill wide{.kind = Fill::uniform, .low = -7, .high = 7},
      narrow{.kind = Fill::uniform, .low = -0.5, .high = 0.5};
  return {{"around zero", {{DType::f32, {3, 21}}}, {}, {narrow}},
          {"all intervals", {{DType::f32, {129}}}, {}, {wide}},
          {"f64", {{DType::f64, {65}}}, {}, {wide}},
          {"f16", {{DType::f16, {33}}}, {}, {wide}},
          {"bf16", {{DType::bf16, {33}}}, {}, {wide}}};
}

}  // namespace temper::ops

namespace temper {

const Op erf_op{.name = "erf",
                .primitive = false,
                .summary = "y = 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x",
                .infer = ops::infer_erf,
                .decompose = ops::decompose_erf,
                .vjp = ops::vjp_erf,
                .samples = ops::samples_erf};

}  // namespace temper
