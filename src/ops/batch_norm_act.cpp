// Batch norm of a batch, a sum and a clamp as one op, and its gradient: what a block of a convolutional
// network does between two convolutions.
#include "ops/batch_norm.h"
#include "ops/composites.h"

namespace temper::ops {

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

Attributes attributes_of(const NormActivation& a) {
  return {{"epsilon", real(a.epsilon)}, {"low", real(a.low)}, {"high", real(a.high)}};
}
NormActivation activation_of(const Attributes& a) {
  return {a.get<double>("epsilon"), a.get<double>("low"), a.get<double>("high")};
}
static bool clamps(const NormActivation& a) { return a.low != -kInfinity || a.high != kInfinity; }

BatchNormResult batch_norm_act_train(Builder& b, Value x, Value scale, Value bias, Value addend,
                                     const NormActivation& attributes) {
  std::vector<Value> inputs{x, scale, bias};
  if (addend) inputs.push_back(addend);
  const std::vector<Value> results =
      b.emit_all(batch_norm_act_train_op, std::move(inputs), attributes_of(attributes));
  return {results[0], results[1], results[2]};
}

BatchNormActGrads batch_norm_act_grad(Builder& b, Value x, Value scale, Value bias, Value mean,
                                      Value variance, Value dy, Value y, const NormActivation& attributes) {
  std::vector<Value> inputs{x, scale, bias, mean, variance, dy};
  if (y) inputs.push_back(y);
  const std::vector<Value> results =
      b.emit_all(batch_norm_act_grad_op, std::move(inputs), attributes_of(attributes));
  return {results[0], results[1], results[2], results[3]};
}

void require_bounds(const InferContext& context) {
  const NormActivation a = activation_of(context.attributes);
  if (!(a.low < a.high)) fail(context, "low ", a.low, " is not below high ", a.high);
}

static std::vector<Type> infer_batch_norm_act_train(const InferContext& context) {
  require_inputs(context, 3, 4);
  require_bounds(context);
  const Type parameter = batch_norm_parameter(context);
  require_type(context, 2, "bias", parameter);
  if (has(context, 3)) require_type(context, 3, "addend", context.inputs[0]);
  const Type statistic{compute_dtype(parameter.dtype), parameter.shape};
  return {context.inputs[0], statistic, statistic};
}

static std::vector<Type> infer_batch_norm_act_grad(const InferContext& context) {
  require_inputs(context, 6, 7);
  require_bounds(context);
  const Type parameter = batch_norm_parameter(context);
  const Type statistic{compute_dtype(parameter.dtype), parameter.shape};
  require_type(context, 2, "bias", parameter);
  require_type(context, 3, "mean", statistic);
  require_type(context, 4, "variance", statistic);
  require_type(context, 5, "dy", context.inputs[0]);
  if (has(context, 6)) require_type(context, 6, "y", context.inputs[0]);
  return {context.inputs[0], parameter, parameter, context.inputs[0]};
}

static Value clamp_between(Builder& b, Value x, const NormActivation& a) {
  if (a.low != -kInfinity) x = max(b, x, a.low);
  if (a.high != kInfinity) x = min(b, x, a.high);
  return x;
}

static std::vector<Value> decompose_batch_norm_act_train(Builder& b, const NodeView& view) {
  const NormActivation a = activation_of(view.attributes());
  const BatchNormResult norm = batch_norm_train(b, view.inputs[0], view.inputs[1], view.inputs[2], a.epsilon);
  const Value addend = input(view.inputs, 3);
  const Value sum = addend ? add(b, norm.y, addend) : norm.y;
  return {clamp_between(b, sum, a), norm.mean, norm.variance};
}

static std::vector<Value> decompose_batch_norm_act_grad(Builder& b, const NodeView& view) {
  const NormActivation a = activation_of(view.attributes());
  const Value x = view.inputs[0], scale = view.inputs[1], bias = view.inputs[2], mean = view.inputs[3],
              variance = view.inputs[4], dy = view.inputs[5];
  Value y = input(view.inputs, 6);
  if (!y) y = batch_norm_infer(b, x, scale, bias, mean, variance, a.epsilon, 0);
  const auto bound = [&](double value) { return b.scalar(b.dtype(y), value); };
  const Value inside = bit_and(b, compare(b, y, bound(a.low), "gt"), compare(b, y, bound(a.high), "lt"));
  const Value gated = select(b, inside, dy, zeros(b, b.type(dy)));
  const BatchNormGrads grads = batch_norm_grad(b, x, scale, mean, variance, gated, a.epsilon);
  return {grads.dx, grads.dscale, grads.dbias, gated};
}

static std::vector<Value> vjp_batch_norm_act_train(Builder& b, const VjpContext& context) {
  const NormActivation a = activation_of(context.node.attributes);
  const auto& in = context.inputs;
  const auto& out = context.outputs;
  const Value dy = cotangent(context, 0);
  BatchNormActGrads all;
  if (dy && clamps(a)) {
    const Value y = in.size() > 3 ? out[0] : Value{};
    all = batch_norm_act_grad(b, in[0], in[1], in[2], out[1], out[2], dy, y, a);
  } else if (dy) {
    const BatchNormGrads norm = batch_norm_grad(b, in[0], in[1], out[1], out[2], dy, a.epsilon);
    all = {norm.dx, norm.dscale, norm.dbias, dy};
  }
  if (needed(context, 0)) all.dx = add_present(b, all.dx, through_statistics(b, context));
  return only_needed(context, {all.dx, all.dscale, all.dbias, all.gated});
}

namespace {
struct Case {
  std::string_view name;
  Ints x;
  bool sums = false;
  double low = 0, high = kInfinity;
  DType dtype = DType::f32;
  DType parameter = dtype;
};
}  // namespace

static const std::vector<Case>& cases() {
  static const std::vector<Case> kCases{
      {"relu", {3, 4, 5, 5}},
      {"relu of a sum", {3, 4, 5, 5}, true},
      {"relu6", {3, 20, 4, 4}, false, 0, 0.75},
      {"clamped sum", {2, 20, 3, 3}, true, -0.5, 1},
      {"sum alone", {3, 4, 5, 5}, true, -kInfinity},
      {"rows", {8, 6}},
      {"sequences", {2, 3, 70}, true},
      {"one channel", {4, 1, 3, 3}},
      {"f16", {4, 3, 4, 4}, false, 0, kInfinity, DType::f16},
      {"bf16", {4, 3, 4, 4}, false, 0, kInfinity, DType::bf16},
      {"bf16, f32 parameters", {4, 20, 4, 4}, false, 0, kInfinity, DType::bf16, DType::f32},
      {"bf16 sum, f32 parameters", {4, 20, 4, 4}, true, 0, 6, DType::bf16, DType::f32}};
  return kCases;
}

static std::vector<Sample> samples_batch_norm_act_train() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    const Type x{c.dtype, Shape::of(c.x)}, parameter{c.parameter, {c.x[1]}};
    std::vector<Type> inputs{x, parameter, parameter};
    if (c.sums) inputs.push_back(x);
    samples.push_back({std::string(c.name), inputs, attributes_of({1e-5, c.low, c.high})});
  }
  return samples;
}

static std::vector<Sample> samples_batch_norm_act_grad() {
  const Fill variance{.kind = Fill::uniform, .low = 0.5, .high = 2};
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    const Type x{c.dtype, Shape::of(c.x)}, parameter{c.parameter, {c.x[1]}},
        statistic{compute_dtype(c.parameter), {c.x[1]}};
    std::vector<Type> inputs{x, parameter, parameter, statistic, statistic, x};
    if (c.sums) inputs.push_back(x);
    samples.push_back(
        {std::string(c.name), inputs, attributes_of({1e-5, c.low, c.high}), {{}, {}, {}, {}, variance, {}}});
  }
  return samples;
}

}  // namespace temper::ops

namespace temper {

const Op batch_norm_act_train_op{
    .name = "batch_norm_act_train",
    .primitive = false,
    .summary = "clamp(batch_norm_train(x) + addend, low, high); the addend is optional",
    .infer = ops::infer_batch_norm_act_train,
    .decompose = ops::decompose_batch_norm_act_train,
    .vjp = ops::vjp_batch_norm_act_train,
    .samples = ops::samples_batch_norm_act_train};

const Op batch_norm_act_grad_op{
    .name = "batch_norm_act_grad",
    .primitive = false,
    .summary = "gradients of batch_norm_act_train's x, scale, bias and addend from dy",
    .infer = ops::infer_batch_norm_act_grad,
    .decompose = ops::decompose_batch_norm_act_grad,
    .samples = ops::samples_batch_norm_act_grad};

}  // namespace temper
