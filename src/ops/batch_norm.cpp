// Batch norm with given statistics (inference) and with those of the batch (training), and the latter's
// gradient.
#include "ops/batch_norm.h"

#include "ops/composites.h"

namespace temper::ops {

Value batch_norm_infer(Builder& b, Value x, Value scale, Value bias, Value mean, Value variance,
                       double epsilon, double momentum) {
  return b.emit(batch_norm_infer_op, {x, scale, bias, mean, variance},
                {{"epsilon", real(epsilon)}, {"momentum", real(momentum)}});
}

BatchNormResult batch_norm_train(Builder& b, Value x, Value scale, Value bias, double epsilon) {
  const std::vector<Value> results =
      b.emit_all(batch_norm_train_op, {x, scale, bias}, {{"epsilon", real(epsilon)}});
  return {results[0], results[1], results[2]};
}

BatchNormGrads batch_norm_grad(Builder& b, Value x, Value scale, Value mean, Value variance, Value dy,
                               double epsilon) {
  const std::vector<Value> results =
      b.emit_all(batch_norm_grad_op, {x, scale, mean, variance, dy}, {{"epsilon", real(epsilon)}});
  return {results[0], results[1], results[2]};
}

static constexpr int kChannels = 1;  // the axis of the channels

Type batch_norm_parameter(const InferContext& context) {
  const Type& x = require_float(context, 0, "x");
  if (x.shape.rank() < 2) fail(context, "x must be [n, channels, ...], is ", to_string(x));
  const Type& scale = require_float(context, 1, "scale");
  const Type expected{scale.dtype, {x.shape[kChannels]}};
  if (scale != expected || (scale.dtype != x.dtype && scale.dtype != compute_dtype(x.dtype)))
    fail(context, "scale must be ", to_string(Type{x.dtype, expected.shape}), ", is ", to_string(scale));
  return scale;
}

static std::vector<Type> infer_batch_norm_infer(const InferContext& context) {
  require_inputs(context, 5, 5);
  const Type parameter = batch_norm_parameter(context);
  require_type(context, 2, "bias", parameter);
  for (size_t i : {3, 4}) {  // running statistics may be wider than the rest
    const Type& type = require_float(context, i, i == 3 ? "mean" : "variance");
    const DType dtype = type.dtype == parameter.dtype ? parameter.dtype : compute_dtype(parameter.dtype);
    require_type(context, i, i == 3 ? "mean" : "variance", {dtype, parameter.shape});
  }
  return {context.inputs[0]};
}

static std::vector<Type> infer_batch_norm_train(const InferContext& context) {
  require_inputs(context, 3, 3);
  const Type parameter = batch_norm_parameter(context);
  require_type(context, 2, "bias", parameter);
  const Type statistic{compute_dtype(parameter.dtype), parameter.shape};
  return {context.inputs[0], statistic, statistic};
}

static std::vector<Type> infer_batch_norm_grad(const InferContext& context) {
  require_inputs(context, 5, 5);
  const Type parameter = batch_norm_parameter(context);
  const Type statistic{compute_dtype(parameter.dtype), parameter.shape};
  require_type(context, 2, "mean", statistic);
  require_type(context, 3, "variance", statistic);
  require_type(context, 4, "dy", context.inputs[0]);
  return {context.inputs[0], parameter, parameter};
}

// What the decompositions work with: everything in the compute dtype, [c] stretched to x's rank.
namespace {
struct Channels {
  Builder& b;
  int rank;
  Ints others;  // all axes but the channels

  Channels(Builder& builder, Value x)
      : b(builder), rank(b.shape(x).rank()), others(axes_but(kChannels, rank)) {}
  Value spread(Value vector) const {
    return along_axis(b, widen(b, vector), kChannels, rank);
  }  // [1, c, 1, ...]
  Value sum(Value x) const { return reduce_sum(b, x, others); }    // [c]
  Value mean(Value x) const { return reduce_mean(b, x, others); }  // [c]
  Value rstd(Value variance, double epsilon) const { return rsqrt(b, add(b, spread(variance), epsilon)); }
};
}  // namespace

static double epsilon_of(const Attributes& attributes) { return attributes.get<double>("epsilon"); }

static std::vector<Value> decompose_batch_norm_infer(Builder& b, const NodeView& view) {
  const Value x = widen(b, view.inputs[0]);
  const Channels channels(b, x);
  const Value factor =
      mul(b, channels.spread(view.inputs[1]), channels.rstd(view.inputs[4], epsilon_of(view.attributes())));
  const Value y =
      add(b, mul(b, sub(b, x, channels.spread(view.inputs[3])), factor), channels.spread(view.inputs[2]));
  return {convert(b, y, b.dtype(view.inputs[0]))};
}

static std::vector<Value> decompose_batch_norm_train(Builder& b, const NodeView& view) {
  const Value x = widen(b, view.inputs[0]);
  const Channels channels(b, x);
  const Value mean = channels.mean(x);
  const Value centred = sub(b, x, channels.spread(mean));
  const Value variance = channels.mean(mul(b, centred, centred));
  const Value factor =
      mul(b, channels.spread(view.inputs[1]), channels.rstd(variance, epsilon_of(view.attributes())));
  const Value y = add(b, mul(b, centred, factor), channels.spread(view.inputs[2]));
  return {convert(b, y, b.dtype(view.inputs[0])), mean, variance};
}

// With z = (x - mean) rstd: dx = scale rstd (dy - mean dy - z mean (dy z))
static std::vector<Value> decompose_batch_norm_grad(Builder& b, const NodeView& view) {
  const Value x = widen(b, view.inputs[0]), dy = widen(b, view.inputs[4]);
  const Channels channels(b, x);
  const Value rstd = channels.rstd(view.inputs[3], epsilon_of(view.attributes()));
  const Value z = mul(b, sub(b, x, channels.spread(view.inputs[2])), rstd);
  const Value dbias = channels.sum(dy), dscale = channels.sum(mul(b, dy, z));
  const Value elements = count(b, x, channels.others, b.dtype(x));
  const Value along_z = mul(b, z, channels.spread(div(b, dscale, elements)));
  const Value rest = sub(b, sub(b, dy, channels.spread(div(b, dbias, elements))), along_z);
  const Value dx = mul(b, mul(b, channels.spread(view.inputs[1]), rstd), rest);
  const DType parameter = b.dtype(view.inputs[1]);
  return {convert(b, dx, b.dtype(view.inputs[0])), convert(b, dscale, parameter),
          convert(b, dbias, parameter)};
}

static std::vector<Value> vjp_batch_norm_infer(Builder& b, const VjpContext& context) {
  const double epsilon = epsilon_of(context.node.attributes);
  const Value dy = widen(b, context.cotangents[0]);
  const Channels channels(b, dy);
  const Value rstd = channels.rstd(context.inputs[4], epsilon), scale = channels.spread(context.inputs[1]);
  std::vector<Value> grads(5);
  const auto give = [&](size_t i, Value grad) { grads[i] = convert(b, grad, b.dtype(context.inputs[i])); };
  const bool centred_needed = needed(context, 1) || needed(context, 4);
  const Value z = centred_needed
                      ? mul(b, sub(b, widen(b, context.inputs[0]), channels.spread(context.inputs[3])), rstd)
                      : Value{};
  if (needed(context, 0)) give(0, mul(b, dy, mul(b, scale, rstd)));
  if (needed(context, 1)) give(1, channels.sum(mul(b, dy, z)));
  if (needed(context, 2)) give(2, channels.sum(dy));
  if (needed(context, 3)) give(3, neg(b, channels.sum(mul(b, dy, mul(b, scale, rstd)))));
  if (needed(context, 4)) {  // rstd = (variance + epsilon)^(-1/2)
    const Value slope = mul(b, mul(b, scale, mul(b, rstd, rstd)), -0.5);
    give(4, channels.sum(mul(b, mul(b, dy, z), slope)));
  }
  return grads;
}

Value through_statistics(Builder& b, const VjpContext& context) {
  const Value dmean = cotangent(context, 1), dvariance = cotangent(context, 2);
  if (!dmean && !dvariance) return {};
  const Value x = widen(b, context.inputs[0]);
  const Channels channels(b, x);
  const Value elements = count(b, x, channels.others, b.dtype(x));
  Value sum;
  if (dmean) sum = broadcast_to(b, channels.spread(div(b, dmean, elements)), b.shape(x));
  if (dvariance) {
    const Value slope = channels.spread(div(b, mul(b, dvariance, 2), elements));
    const Value part = mul(b, slope, sub(b, x, channels.spread(context.outputs[1])));
    sum = sum ? add(b, sum, part) : part;
  }
  return convert(b, sum, b.dtype(context.inputs[0]));
}

static std::vector<Value> vjp_batch_norm_train(Builder& b, const VjpContext& context) {
  BatchNormGrads all;
  if (const Value dy = cotangent(context, 0))
    all = batch_norm_grad(b, context.inputs[0], context.inputs[1], context.outputs[1], context.outputs[2], dy,
                          epsilon_of(context.node.attributes));
  if (needed(context, 0)) all.dx = add_present(b, all.dx, through_statistics(b, context));
  return only_needed(context, {all.dx, all.dscale, all.dbias});
}

namespace {
struct Case {
  std::string_view name;
  Ints x;
  DType dtype = DType::f32, parameter = dtype;
};
}  // namespace

static const std::vector<Case>& cases() {
  static const std::vector<Case> kCases{{"pictures", {3, 4, 5, 5}},
                                        {"rows", {8, 6}},
                                        {"sequences", {2, 3, 7}},
                                        {"one channel", {4, 1, 3, 3}},
                                        {"f16", {4, 3, 4, 4}, DType::f16},
                                        {"bf16", {4, 3, 4, 4}, DType::bf16},
                                        {"bf16, f32 parameters", {4, 3, 5, 4}, DType::bf16, DType::f32}};
  return kCases;
}

static const Fill kVariance{.kind = Fill::uniform, .low = 0.5, .high = 2};

static std::vector<Sample> samples_batch_norm_infer() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    const Type x{c.dtype, Shape::of(c.x)}, parameter{c.parameter, {c.x[1]}};
    samples.push_back({std::string(c.name),
                       {x, parameter, parameter, parameter, parameter},
                       {{"epsilon", real(1e-5)}, {"momentum", real(0.9)}},
                       {{}, {}, {}, {}, kVariance}});
  }
  return samples;
}

static std::vector<Sample> samples_batch_norm_train() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    const Type x{c.dtype, Shape::of(c.x)}, parameter{c.parameter, {c.x[1]}};
    samples.push_back({std::string(c.name), {x, parameter, parameter}, {{"epsilon", real(1e-5)}}});
  }
  return samples;
}

static std::vector<Sample> samples_batch_norm_grad() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    const Type x{c.dtype, Shape::of(c.x)}, parameter{c.parameter, {c.x[1]}},
        statistic{compute_dtype(c.dtype), {c.x[1]}};
    samples.push_back({std::string(c.name),
                       {x, parameter, statistic, statistic, x},
                       {{"epsilon", real(1e-5)}},
                       {{}, {}, {}, kVariance, {}}});
  }
  return samples;
}

}  // namespace temper::ops

namespace temper {

const Op batch_norm_infer_op{.name = "batch_norm_infer",
                             .primitive = false,
                             .summary = "y = (x - mean) / sqrt(variance + epsilon) scale + bias, by channel",
                             .infer = ops::infer_batch_norm_infer,
                             .decompose = ops::decompose_batch_norm_infer,
                             .vjp = ops::vjp_batch_norm_infer,
                             .samples = ops::samples_batch_norm_infer};

const Op batch_norm_train_op{
    .name = "batch_norm_train",
    .primitive = false,
    .summary = "batch_norm_infer with the batch's own mean and biased variance, also results",
    .infer = ops::infer_batch_norm_train,
    .decompose = ops::decompose_batch_norm_train,
    .vjp = ops::vjp_batch_norm_train,
    .samples = ops::samples_batch_norm_train};

const Op batch_norm_grad_op{.name = "batch_norm_grad",
                            .primitive = false,
                            .summary = "gradients of batch_norm_train's x, scale and bias from dy",
                            .infer = ops::infer_batch_norm_grad,
                            .decompose = ops::decompose_batch_norm_grad,
                            .samples = ops::samples_batch_norm_grad};

}  // namespace temper
