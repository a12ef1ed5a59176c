// Softmax and its logarithm along one axis.
#include "ops/composite.h"
#include "ops/composites.h"

namespace temper::ops {

Value softmax(Builder& b, Value x, int64_t axis) {
  return b.emit(softmax_op, {x}, {{"axis", integer(axis)}});
}

Value softmax_grad(Builder& b, Value y, Value dy, int64_t axis) {
  return b.emit(softmax_grad_op, {y, dy}, {{"axis", integer(axis)}});
}

Value log_softmax(Builder& b, Value x, int64_t axis) {
  return b.emit(log_softmax_op, {x}, {{"axis", integer(axis)}});
}

static std::vector<Type> infer_softmax(const InferContext& context) {
  require_inputs(context, 1, 1);
  const Type& x = require_float(context, 0, "x");
  require_axis(context, context.attributes.get<int64_t>("axis"), x.shape.rank());
  return {x};
}

static std::vector<Type> infer_softmax_grad(const InferContext& context) {
  require_inputs(context, 2, 2);
  const Type& y = require_float(context, 0, "y");
  require_type(context, 1, "dy", y);
  require_axis(context, context.attributes.get<int64_t>("axis"), y.shape.rank());
  return {y};
}

static Ints axis_of(const Attributes& attributes) { return {attributes.get<int64_t>("axis")}; }

// x less its maximum, so that no exponential overflows
static Value shifted(Builder& b, const NodeView& view) {
  const Ints axis = axis_of(view.attributes());
  const Value x = widen(b, view.inputs[0]);
  return sub(b, x, keep_axes(b, reduce_max(b, x, axis), b.shape(x), axis));
}

static std::vector<Value> decompose_softmax(Builder& b, const NodeView& view) {
  const Value e = exp(b, shifted(b, view));
  const Value y = div(b, e, sum_keep(b, e, axis_of(view.attributes())));
  return {convert(b, y, b.dtype(view.inputs[0]))};
}

static std::vector<Value> decompose_log_softmax(Builder& b, const NodeView& view) {
  const Value x = shifted(b, view);
  const Value y = sub(b, x, log(b, sum_keep(b, exp(b, x), axis_of(view.attributes()))));
  return {convert(b, y, b.dtype(view.inputs[0]))};
}

// dx = y (dy - sum y dy)
static std::vector<Value> decompose_softmax_grad(Builder& b, const NodeView& view) {
  const Value y = widen(b, view.inputs[0]), dy = widen(b, view.inputs[1]);
  const Value mean = sum_keep(b, mul(b, y, dy), axis_of(view.attributes()));
  return {convert(b, mul(b, y, sub(b, dy, mean)), b.dtype(view.inputs[0]))};
}

static std::vector<Value> vjp_softmax(Builder& b, const VjpContext& context) {
  return {softmax_grad(b, context.outputs[0], context.cotangents[0],
                       context.node.attributes.get<int64_t>("axis"))};
}

// dx = dy - exp(y) sum dy
static std::vector<Value> vjp_log_softmax(Builder& b, const VjpContext& context) {
  const Value y = widen(b, context.outputs[0]), dy = widen(b, context.cotangents[0]);
  const Value sum = sum_keep(b, dy, axis_of(context.node.attributes));
  return {convert(b, sub(b, dy, mul(b, exp(b, y), sum)), b.dtype(context.inputs[0]))};
}

static std::vector<Sample> samples_softmax() {
  const auto along = [](int64_t axis) { return Attributes{{"axis", integer(axis)}}; };
  return {{"rows", {{DType::f32, {5, 10}}}, along(1)},
          {"wide range", {{DType::f32, {4, 33}}}, along(1), {{.low = -1, .high = 40}}},
          {"one class", {{DType::f32, {3, 1}}}, along(1)},
          {"first axis", {{DType::f32, {7, 3}}}, along(0)},
          {"middle axis", {{DType::f32, {2, 5, 3, 4}}}, along(1)},
          {"vector", {{DType::f32, {17}}}, along(0)},
          {"f64", {{DType::f64, {3, 6}}}, along(1)},
          {"f16", {{DType::f16, {3, 6}}}, along(1)},
          {"bf16", {{DType::bf16, {3, 6}}}, along(1)}};
}

static std::vector<Sample> samples_softmax_grad() {
  std::vector<Sample> samples = samples_softmax();
  for (Sample& sample : samples) {
    sample.inputs.push_back(sample.inputs[0]);
    sample.fills = {{.kind = Fill::uniform, .low = 0, .high = 1}, {}};
  }
  return samples;
}

}  // namespace temper::ops

namespace temper {

const Op softmax_op{.name = "softmax",
                    .primitive = false,
                    .summary = "y = exp(x) / sum exp(x) along axis",
                    .infer = ops::infer_softmax,
                    .decompose = ops::decompose_softmax,
                    .vjp = ops::vjp_softmax,
                    .samples = ops::samples_softmax};

const Op softmax_grad_op{.name = "softmax_grad",
                         .primitive = false,
                         .summary = "gradient of softmax's x from its result y and dy",
                         .infer = ops::infer_softmax_grad,
                         .decompose = ops::decompose_softmax_grad,
                         .samples = ops::samples_softmax_grad};

const Op log_softmax_op{.name = "log_softmax",
                        .primitive = false,
                        .summary = "y = x - log sum exp(x) along axis",
                        .infer = ops::infer_softmax,
                        .decompose = ops::decompose_log_softmax,
                        .vjp = ops::vjp_log_softmax,
                        .samples = ops::samples_softmax};

}  // namespace temper
