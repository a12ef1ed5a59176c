// Layer norm, its gradient, and root-mean-square norm: over the axes from `axis` to the last.
#include "ops/composite.h"
#include "ops/composites.h"

namespace temper::ops {

LayerNormResult layer_norm(Builder& b, Value x, Value scale, Value bias, int64_t axis, double epsilon) {
  const std::vector<Value> results =
      b.emit_all(layer_norm_op, {x, scale, bias}, {{"axis", integer(axis)}, {"epsilon", real(epsilon)}});
  return {results[0], results[1], results[2]};
}

LayerNormGrads layer_norm_grad(Builder& b, Value x, Value scale, Value mean, Value rstd, Value dy,
                               int64_t axis) {
  const std::vector<Value> results =
      b.emit_all(layer_norm_grad_op, {x, scale, mean, rstd, dy}, {{"axis", integer(axis)}});
  return {results[0], results[1], results[2]};
}

Value rms_norm(Builder& b, Value x, Value scale, int64_t axis, double epsilon) {
  return b.emit(rms_norm_op, {x, scale}, {{"axis", integer(axis)}, {"epsilon", real(epsilon)}});
}

static int axis_of(const Attributes& attributes) { return static_cast<int>(attributes.get<int64_t>("axis")); }

namespace {
struct NormTypes {
  Type x, scale, statistic;
};
}  // namespace

// Fails unless x and scale (inputs 0 and 1) belong together.
static NormTypes norm_types(const InferContext& context) {
  const Type& x = require_float(context, 0, "x");
  const int rank = x.shape.rank();
  const int axis = require_axis(context, context.attributes.get<int64_t>("axis"), rank);
  Shape normalised;
  for (int i = axis; i < rank; ++i) normalised.push_back(x.shape[i]);
  const Type scale{x.dtype, normalised};
  require_type(context, 1, "scale", scale);
  return {x, scale, {compute_dtype(x.dtype), with_ones(x.shape, axes_from(axis, rank))}};
}

static std::vector<Type> infer_layer_norm(const InferContext& context) {
  require_inputs(context, 2, 3);
  const NormTypes types = norm_types(context);
  if (has(context, 2)) require_type(context, 2, "bias", types.scale);
  return {types.x, types.statistic, types.statistic};
}

static std::vector<Type> infer_layer_norm_grad(const InferContext& context) {
  require_inputs(context, 5, 5);
  const NormTypes types = norm_types(context);
  require_type(context, 2, "mean", types.statistic);
  require_type(context, 3, "rstd", types.statistic);
  require_type(context, 4, "dy", types.x);
  return {types.x, types.scale, types.scale};
}

static std::vector<Type> infer_rms_norm(const InferContext& context) {
  require_inputs(context, 2, 2);
  return {norm_types(context).x};
}

static std::vector<Value> decompose_layer_norm(Builder& b, const NodeView& view) {
  const Value x = widen(b, view.inputs[0]), bias = input(view.inputs, 2);
  const Ints axes = axes_from(axis_of(view.attributes()), b.shape(x).rank());
  const Value mean = mean_keep(b, x, axes);
  const Value centred = sub(b, x, mean);
  const Value variance = mean_keep(b, mul(b, centred, centred), axes);
  const Value rstd = rsqrt(b, add(b, variance, view.attributes().get<double>("epsilon")));
  Value y = mul(b, mul(b, centred, rstd), widen(b, view.inputs[1]));
  if (bias) y = add(b, y, widen(b, bias));
  return {convert(b, y, b.dtype(view.inputs[0])), mean, rstd};
}

// With z = (x - mean) rstd and g = dy scale: dx = rstd (g - mean g - z mean (g z))
static std::vector<Value> decompose_layer_norm_grad(Builder& b, const NodeView& view) {
  const Value x = widen(b, view.inputs[0]), scale = widen(b, view.inputs[1]);
  const Value mean = view.inputs[2], rstd = view.inputs[3], dy = widen(b, view.inputs[4]);
  const DType dtype = b.dtype(view.inputs[0]);
  const int axis = axis_of(view.attributes()), rank = b.shape(x).rank();
  const Ints axes = axes_from(axis, rank), leading = axes_from(0, axis);
  const Value z = mul(b, sub(b, x, mean), rstd);
  const Value g = mul(b, dy, scale);
  const Value along_z = mul(b, z, mean_keep(b, mul(b, g, z), axes));
  const Value dx = mul(b, rstd, sub(b, sub(b, g, mean_keep(b, g, axes)), along_z));
  const auto over_rows = [&](Value v) {
    return convert(b, leading.empty() ? v : reduce_sum(b, v, leading), dtype);
  };
  return {convert(b, dx, dtype), over_rows(mul(b, dy, z)), over_rows(dy)};
}

static std::vector<Value> decompose_rms_norm(Builder& b, const NodeView& view) {
  const Value x = widen(b, view.inputs[0]);
  const Ints axes = axes_from(axis_of(view.attributes()), b.shape(x).rank());
  const Value square = mean_keep(b, mul(b, x, x), axes);
  const Value rstd = rsqrt(b, add(b, square, view.attributes().get<double>("epsilon")));
  const Value y = mul(b, mul(b, x, rstd), widen(b, view.inputs[1]));
  return {convert(b, y, b.dtype(view.inputs[0]))};
}

// What reaches x through the results mean and rstd, which only a second derivative reads.
static Value through_statistics(Builder& b, const VjpContext& context, const Ints& axes) {
  const Value dmean = cotangent(context, 1), drstd = cotangent(context, 2);
  if (!dmean && !drstd) return {};
  const Value x = widen(b, context.inputs[0]), mean = context.outputs[1], rstd = context.outputs[2];
  const Value elements = count(b, x, axes, b.dtype(x));
  Value sum;
  if (dmean) sum = broadcast_to(b, div(b, dmean, elements), b.shape(x));
  if (drstd) {  // rstd = (variance + epsilon)^(-1/2)
    const Value slope = div(b, neg(b, mul(b, drstd, mul(b, rstd, mul(b, rstd, rstd)))), elements);
    const Value part = mul(b, slope, sub(b, x, mean));
    sum = sum ? add(b, sum, part) : part;
  }
  return convert(b, sum, b.dtype(context.inputs[0]));
}

static std::vector<Value> vjp_layer_norm(Builder& b, const VjpContext& context) {
  const int axis = axis_of(context.node.attributes), rank = b.shape(context.inputs[0]).rank();
  LayerNormGrads all;
  if (const Value dy = cotangent(context, 0))
    all = layer_norm_grad(b, context.inputs[0], context.inputs[1], context.outputs[1], context.outputs[2], dy,
                          axis);
  if (needed(context, 0))
    all.dx = add_present(b, all.dx, through_statistics(b, context, axes_from(axis, rank)));
  return only_needed(context, {all.dx, all.dscale, all.dbias});
}

namespace {
struct Case {
  std::string_view name;
  Ints x;
  int64_t axis;
  DType dtype = DType::f32;
};
}  // namespace

static const std::vector<Case>& cases() {
  static const std::vector<Case> kCases{{"rows", {6, 16}, 1},           {"odd width", {2, 3, 33}, 2},
                                        {"two axes", {3, 4, 5}, 1},     {"whole tensor", {7, 3}, 0},
                                        {"f16", {4, 8}, 1, DType::f16}, {"bf16", {4, 8}, 1, DType::bf16}};
  return kCases;
}

static Sample norm_sample(const Case& c) {
  const Shape x = Shape::of(c.x);
  const Shape normalised = Shape::of(Ints(c.x.begin() + c.axis, c.x.end()));
  return {std::string(c.name), {{c.dtype, x}, {c.dtype, normalised}}, {{"axis", integer(c.axis)}}};
}

static std::vector<Sample> samples_layer_norm() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    Sample sample = norm_sample(c);
    sample.attributes.set("epsilon", real(1e-5));
    sample.inputs.push_back(sample.inputs[1]);
    samples.push_back(sample);
  }
  samples.push_back(samples.front());
  samples.back().name = "no bias";
  samples.back().inputs.pop_back();
  return samples;
}

static std::vector<Sample> samples_layer_norm_grad() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    Sample sample = norm_sample(c);
    const Type x = sample.inputs[0];
    const auto rank = static_cast<int>(c.x.size());
    const Type statistic{compute_dtype(c.dtype),
                         with_ones(x.shape, axes_from(static_cast<int>(c.axis), rank))};
    sample.inputs.insert(sample.inputs.end(), {statistic, statistic, x});
    sample.fills = {{}, {}, {}, {.kind = Fill::uniform, .low = 0.5, .high = 2}, {}};
    samples.push_back(sample);
  }
  return samples;
}

static std::vector<Sample> samples_rms_norm() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    samples.push_back(norm_sample(c));
    samples.back().attributes.set("epsilon", real(1e-6));
  }
  return samples;
}

}  // namespace temper::ops

namespace temper {

const Op layer_norm_op{.name = "layer_norm",
                       .primitive = false,
                       .summary = "y = (x - mean) rstd scale + bias, rstd = 1 / sqrt(variance + epsilon)",
                       .infer = ops::infer_layer_norm,
                       .decompose = ops::decompose_layer_norm,
                       .vjp = ops::vjp_layer_norm,
                       .samples = ops::samples_layer_norm};

const Op layer_norm_grad_op{.name = "layer_norm_grad",
                            .primitive = false,
                            .summary = "gradients of layer_norm's x, scale and bias from dy",
                            .infer = ops::infer_layer_norm_grad,
                            .decompose = ops::decompose_layer_norm_grad,
                            .samples = ops::samples_layer_norm_grad};

const Op rms_norm_op{.name = "rms_norm",
                     .primitive = false,
                     .summary = "y = x scale / sqrt(mean x^2 + epsilon)",
                     .infer = ops::infer_rms_norm,
                     .decompose = ops::decompose_rms_norm,
                     .samples = ops::samples_rms_norm};

}  // namespace temper
