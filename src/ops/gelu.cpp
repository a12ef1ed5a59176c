// Gaussian error linear unit. Hendrycks, Gimpel: "Gaussian error linear units", arXiv:1606.08415.
#include <numbers>

#include "ops/composite.h"
#include "ops/composites.h"

namespace temper::ops {

Value gelu(Builder& b, Value x, bool approximate) {
  return b.emit(gelu_op, {x}, {{"approximate", flag(approximate)}});
}

Value gelu_grad(Builder& b, Value x, Value dy, bool approximate) {
  return b.emit(gelu_grad_op, {x, dy}, {{"approximate", flag(approximate)}});
}

static std::vector<Type> infer_gelu_grad(const InferContext& context) {
  require_inputs(context, 2, 2);
  const Type& x = require_float(context, 0, "x");
  require_type(context, 1, "dy", x);
  return {x};
}

static std::vector<Type> infer_gelu(const InferContext& context) {
  require_inputs(context, 1, 1);
  return {require_float(context, 0, "x")};
}

static constexpr double kCube = 0.044715;
static constexpr double kRootTwoOverPi = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;

// The normal distribution up to x.
static Value normal_up_to(Builder& b, Value x) {
  return mul(b, add(b, erf(b, mul(b, x, 1 / std::numbers::sqrt2)), 1), 0.5);
}

// tanh(sqrt(2 / pi) (x + 0.044715 x^3))
static Value tanh_form(Builder& b, Value x) {
  const Value inner = add(b, mul(b, mul(b, mul(b, x, x), x), kCube), x);
  return tanh(b, mul(b, inner, kRootTwoOverPi));
}

static std::vector<Value> decompose_gelu(Builder& b, const NodeView& view) {
  const Value x = widen(b, view.inputs[0]);
  const bool approximate = view.attributes().get<bool>("approximate");
  const Value share = approximate ? mul(b, add(b, tanh_form(b, x), 1), 0.5) : normal_up_to(b, x);
  return {convert(b, mul(b, x, share), b.dtype(view.inputs[0]))};
}

static Value slope(Builder& b, Value x) {  // P(x) + x p(x)
  const Value density = mul(b, exp(b, mul(b, mul(b, x, x), -0.5)), kRootTwoOverPi / 2);
  return add(b, normal_up_to(b, x), mul(b, x, density));
}

static Value slope_of_tanh_form(Builder& b, Value x) {  // (1 + t + x (1 - t^2) u') / 2
  const Value t = tanh_form(b, x);
  const Value inner = mul(b, add(b, mul(b, mul(b, x, x), 3 * kCube), 1), kRootTwoOverPi);
  const Value rise = mul(b, mul(b, x, sub(b, b.scalar(b.dtype(x), 1), mul(b, t, t))), inner);
  return mul(b, add(b, add(b, t, 1), rise), 0.5);
}

static std::vector<Value> decompose_gelu_grad(Builder& b, const NodeView& view) {
  const Value x = widen(b, view.inputs[0]), dy = widen(b, view.inputs[1]);
  const bool approximate = view.attributes().get<bool>("approximate");
  const Value factor = approximate ? slope_of_tanh_form(b, x) : slope(b, x);
  return {convert(b, mul(b, dy, factor), b.dtype(view.inputs[0]))};
}

static std::vector<Value> vjp_gelu(Builder& b, const VjpContext& context) {
  return {gelu_grad(b, context.inputs[0], context.cotangents[0],
                    context.node.attributes.get<bool>("approximate"))};
}

static std::vector<Sample> samples_gelu() {
  std::vector<Sample> samples;
  for (bool approximate : {false, true}) {
    for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
      samples.push_back({temper::concat(to_string(dtype), approximate ? ", tanh" : ""),
                         {{dtype, {5, 27}}},
                         {{"approximate", flag(approximate)}},
                         {{.low = -1, .high = 2}}});
    }
  }
  return samples;
}

static std::vector<Sample> samples_gelu_grad() {
  std::vector<Sample> samples = samples_gelu();
  for (Sample& sample : samples) sample.inputs.push_back(sample.inputs[0]);
  return samples;
}

}  // namespace temper::ops

namespace temper {

const Op gelu_op{.name = "gelu",
                 .primitive = false,
                 .summary = "y = x times the normal distribution up to x; approximate: its tanh form",
                 .infer = ops::infer_gelu,
                 .decompose = ops::decompose_gelu,
                 .vjp = ops::vjp_gelu,
                 .samples = ops::samples_gelu};

const Op gelu_grad_op{.name = "gelu_grad",
                      .primitive = false,
                      .summary = "gradient of gelu's x from dy",
                      .infer = ops::infer_gelu_grad,
                      .decompose = ops::decompose_gelu_grad,
                      .samples = ops::samples_gelu_grad};

}  // namespace temper
