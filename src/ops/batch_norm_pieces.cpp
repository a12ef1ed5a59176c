// What of a batch norm in training every sample can do alone, once the batch's sums are known: its result and
// the gradient of x. Whoever takes a batch in parts computes the sums apart (passes/training_parts.cpp).
#include "ops/batch_norm.h"
#include "ops/composites.h"

namespace temper::ops {

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

Value batch_norm_act_infer(Builder& b, Value x, Value scale, Value bias, Value mean, Value variance,
                           Value addend, const NormActivation& attributes) {
  std::vector<Value> inputs{x, scale, bias, mean, variance};
  if (addend) inputs.push_back(addend);
  return b.emit(batch_norm_act_infer_op, std::move(inputs), attributes_of(attributes));
}

Value batch_norm_act_input_grad(Builder& b, Value x, Value scale, Value bias, Value mean, Value variance,
                                Value dy, Value dscale, Value dbias, int64_t count,
                                const NormActivation& attributes) {
  Attributes all = attributes_of(attributes);
  all.set("count", integer(count));
  return b.emit(batch_norm_act_input_grad_op, {x, scale, bias, mean, variance, dy, dscale, dbias},
                std::move(all));
}

// x, scale, bias, mean, variance
static Type require_norm(const InferContext& context) {
  require_bounds(context);
  const Type parameter = batch_norm_parameter(context);
  require_type(context, 2, "bias", parameter);
  const Type statistic{compute_dtype(parameter.dtype), parameter.shape};
  require_type(context, 3, "mean", statistic);
  require_type(context, 4, "variance", statistic);
  return parameter;
}

static std::vector<Type> infer_batch_norm_act_infer(const InferContext& context) {
  require_inputs(context, 5, 6);
  require_norm(context);
  if (has(context, 5)) require_type(context, 5, "addend", context.inputs[0]);
  return {context.inputs[0]};
}

static std::vector<Type> infer_batch_norm_act_input_grad(const InferContext& context) {
  require_inputs(context, 8, 8);
  const Type parameter = require_norm(context);
  require_type(context, 5, "dy", context.inputs[0]);
  require_type(context, 6, "dscale", parameter);
  require_type(context, 7, "dbias", parameter);
  if (const int64_t count = context.attributes.get<int64_t>("count"); count < 1)
    fail(context, "count is ", count);
  return {context.inputs[0]};
}

static std::vector<Value> decompose_batch_norm_act_infer(Builder& b, const NodeView& view) {
  const NormActivation a = activation_of(view.attributes());
  const auto& in = view.inputs;
  Value y = batch_norm_infer(b, in[0], in[1], in[2], in[3], in[4], a.epsilon, 0);
  if (const Value addend = input(in, 5)) y = add(b, y, addend);
  if (a.low != -kInfinity) y = max(b, y, a.low);
  if (a.high != kInfinity) y = min(b, y, a.high);
  return {y};
}

// With z = (x - mean) rstd: dx = scale rstd (dy - dbias / count - z dscale / count), for the dy that passes
// the clamp
static std::vector<Value> decompose_batch_norm_act_input_grad(Builder& b, const NodeView& view) {
  const NormActivation a = activation_of(view.attributes());
  const auto& in = view.inputs;
  const Value y = batch_norm_infer(b, in[0], in[1], in[2], in[3], in[4], a.epsilon, 0);
  const auto bound = [&](double value) { return b.scalar(b.dtype(y), value); };
  const Value inside = bit_and(b, compare(b, y, bound(a.low), "gt"), compare(b, y, bound(a.high), "lt"));
  const bool open = a.low == -kInfinity && a.high == kInfinity;
  const Value dy = widen(b, open ? in[5] : select(b, inside, in[5], zeros(b, b.type(in[5]))));
  const Value x = widen(b, in[0]);
  const int rank = b.shape(x).rank();
  const auto spread = [&](Value vector) { return along_axis(b, widen(b, vector), 1, rank); };
  const auto share = [&](Value sum) {
    return div(b, spread(sum), static_cast<double>(view.attributes().get<int64_t>("count")));
  };
  const Value rstd = rsqrt(b, add(b, spread(in[4]), a.epsilon));
  const Value z = mul(b, sub(b, x, spread(in[3])), rstd);
  const Value rest = sub(b, sub(b, dy, share(in[7])), mul(b, z, share(in[6])));
  return {convert(b, mul(b, mul(b, spread(in[1]), rstd), rest), b.dtype(in[0]))};
}

namespace {
struct Case {
  std::string_view name;
  Ints x;
  double low = 0, high = kInfinity;
  DType dtype = DType::f32;
  DType parameter = dtype;
};
}  // namespace

static const std::vector<Case>& cases() {
  static const std::vector<Case> kCases{
      {"relu", {3, 4, 5, 5}},
      {"relu6", {3, 20, 4, 4}, 0, 0.75},
      {"no clamp", {3, 4, 5, 5}, -kInfinity},
      {"rows", {8, 6}},
      {"sequences", {2, 3, 70}},
      {"f16", {4, 3, 4, 4}, 0, kInfinity, DType::f16},
      {"bf16", {4, 3, 4, 4}, 0, kInfinity, DType::bf16},
      {"bf16, f32 parameters", {4, 20, 4, 4}, 0, 6, DType::bf16, DType::f32}};
  return kCases;
}

static const Fill kVariance{.kind = Fill::uniform, .low = 0.5, .high = 2};

static std::vector<Sample> samples_batch_norm_act_infer() {
  std::vector<Sample> samples;
  for (const Case& c : cases())
    for (const bool sums : {false, true}) {
      const Type x{c.dtype, Shape::of(c.x)}, parameter{c.parameter, {c.x[1]}},
          statistic{compute_dtype(c.parameter), {c.x[1]}};
      std::vector<Type> inputs{x, parameter, parameter, statistic, statistic};
      if (sums) inputs.push_back(x);
      samples.push_back({temper::concat(c.name, sums ? " of a sum" : ""),
                         inputs,
                         attributes_of({1e-5, c.low, c.high}),
                         {{}, {}, {}, {}, kVariance, {}}});
    }
  return samples;
}

static std::vector<Sample> samples_batch_norm_act_input_grad() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    const Type x{c.dtype, Shape::of(c.x)}, parameter{c.parameter, {c.x[1]}},
        statistic{compute_dtype(c.parameter), {c.x[1]}};
    Attributes attributes = attributes_of({1e-5, c.low, c.high});
    attributes.set("count", integer(2 * x.shape.elements() / c.x[1]));  // this is half of the batch
    samples.push_back({std::string(c.name),
                       {x, parameter, parameter, statistic, statistic, x, parameter, parameter},
                       std::move(attributes),
                       {{}, {}, {}, {}, kVariance, {}}});
  }
  return samples;
}

}  // namespace temper::ops

namespace temper {

const Op batch_norm_act_infer_op{
    .name = "batch_norm_act_infer",
    .primitive = false,
    .summary = "clamp(batch_norm_infer(x) + addend, low, high); the addend is optional",
    .infer = ops::infer_batch_norm_act_infer,
    .decompose = ops::decompose_batch_norm_act_infer,
    .samples = ops::samples_batch_norm_act_infer};

const Op batch_norm_act_input_grad_op{
    .name = "batch_norm_act_input_grad",
    .primitive = false,
    .summary =
        "gradient of batch_norm_act_train's x from dy and the gradients of scale and bias, where a channel "
        "has `count` elements in the whole batch",
    .infer = ops::infer_batch_norm_act_input_grad,
    .decompose = ops::decompose_batch_norm_act_input_grad,
    .samples = ops::samples_batch_norm_act_input_grad};

}  // namespace temper
