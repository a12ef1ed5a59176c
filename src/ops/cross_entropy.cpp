// Cross-entropy of logits against class labels, and its gradient.
#include "ops/composite.h"
#include "ops/composites.h"

namespace temper::ops {

Value cross_entropy(Builder& b, Value logits, Value labels, double smoothing) {
  return b.emit(cross_entropy_op, {logits, labels}, {{"smoothing", real(smoothing)}});
}

Value cross_entropy_grad(Builder& b, Value logits, Value labels, Value dloss, double smoothing) {
  return b.emit(cross_entropy_grad_op, {logits, labels, dloss}, {{"smoothing", real(smoothing)}});
}

static Type loss_type(const InferContext& context) {
  require_float(context, 0, "logits");
  const Type& logits = require_rank(context, 0, "logits", 2);
  require_type(context, 1, "labels", {DType::i64, {logits.shape[0]}});
  const double smoothing = context.attributes.get<double>("smoothing");
  if (!(smoothing >= 0 && smoothing <= 1)) fail(context, "smoothing must be in [0, 1], is ", smoothing);
  return {compute_dtype(logits.dtype), {logits.shape[0]}};
}

static std::vector<Type> infer_cross_entropy(const InferContext& context) {
  require_inputs(context, 2, 2);
  return {loss_type(context)};
}

static std::vector<Type> infer_cross_entropy_grad(const InferContext& context) {
  require_inputs(context, 3, 3);
  require_type(context, 2, "dloss", loss_type(context));
  return {context.inputs[0]};
}

static Value column(Builder& b, Value vector) { return reshape(b, vector, {b.shape(vector)[0], 1}); }

// [n, classes]: true at each row's label, nowhere in a row whose label is no class
static Value at_label(Builder& b, Value logits, Value labels) {
  return compare(b, iota(b, DType::i64, b.shape(logits), 1), column(b, labels), "eq");
}

static Value is_class(Builder& b, Value logits, Value labels) {  // [n]
  const Value classes = dimension_size(b, logits, 1, DType::i64);
  return bit_and(b, compare(b, labels, b.scalar(DType::i64, 0), "ge"), compare(b, labels, classes, "lt"));
}

static std::vector<Value> decompose_cross_entropy(Builder& b, const NodeView& view) {
  const Value logits = widen(b, view.inputs[0]), labels = view.inputs[1];
  const double smoothing = view.attributes().get<double>("smoothing");
  const Value zero = b.scalar(b.dtype(logits), 0);
  const Value y = log_softmax(b, logits, 1);
  Value loss = neg(b, reduce_sum(b, select(b, at_label(b, logits, labels), y, zero), {1}));
  if (smoothing > 0) {
    const Value even = mul(b, reduce_mean(b, y, {1}), smoothing);
    loss = sub(b, mul(b, loss, 1 - smoothing), even);
  }
  return {select(b, is_class(b, logits, labels), loss, zero)};
}

// (softmax - target) dloss, where target is the smoothed indicator of the label
static std::vector<Value> decompose_cross_entropy_grad(Builder& b, const NodeView& view) {
  const Value logits = widen(b, view.inputs[0]), labels = view.inputs[1];
  const DType dtype = b.dtype(logits);
  const double smoothing = view.attributes().get<double>("smoothing");
  const Value zero = b.scalar(dtype, 0);
  Value target = select(b, at_label(b, logits, labels), b.scalar(dtype, 1 - smoothing), zero);
  if (smoothing > 0)
    target = add(b, target, div(b, b.scalar(dtype, smoothing), count(b, logits, {1}, dtype)));
  const Value dloss = select(b, is_class(b, logits, labels), view.inputs[2], zero);
  const Value grad = mul(b, sub(b, softmax(b, logits, 1), target), column(b, dloss));
  return {convert(b, grad, b.dtype(view.inputs[0]))};
}

static std::vector<Value> vjp_cross_entropy(Builder& b, const VjpContext& context) {
  std::vector<Value> grads(2);
  if (needed(context, 0)) {
    grads[0] = cross_entropy_grad(b, context.inputs[0], context.inputs[1], context.cotangents[0],
                                  context.node.attributes.get<double>("smoothing"));
  }
  return grads;
}

static std::vector<Sample> make_samples(bool gradient) {
  struct Case {
    std::string_view name;
    int64_t rows, classes;
    double smoothing;
    DType dtype;
    double first_label;
  };
  const Case cases[]{{"ten classes", 6, 10, 0, DType::f32, 0},
                     {"smoothed", 6, 10, 0.1, DType::f32, 0},
                     {"labels that are no class", 9, 4, 0.1, DType::f32, -3},
                     {"two classes", 5, 2, 0, DType::f32, 0},
                     {"many classes", 3, 1001, 0.2, DType::f32, 0},
                     {"f16", 4, 7, 0.1, DType::f16, 0},
                     {"bf16", 4, 7, 0, DType::bf16, 0}};
  std::vector<Sample> samples;
  for (const Case& c : cases) {
    Sample sample{std::string(c.name),
                  {{c.dtype, {c.rows, c.classes}}, {DType::i64, {c.rows}}},
                  {{"smoothing", real(c.smoothing)}},
                  {{.low = -1, .high = 3},
                   {.kind = Fill::integers, .low = c.first_label, .high = static_cast<double>(c.classes)}}};
    if (gradient) {
      sample.inputs.push_back({compute_dtype(c.dtype), {c.rows}});
      sample.fills.push_back({});
    }
    samples.push_back(std::move(sample));
  }
  return samples;
}

static std::vector<Sample> samples_cross_entropy() { return make_samples(false); }
static std::vector<Sample> samples_cross_entropy_grad() { return make_samples(true); }

}  // namespace temper::ops

namespace temper {

const Op cross_entropy_op{.name = "cross_entropy",
                          .primitive = false,
                          .summary = "loss[n] = -sum target log_softmax(logits); target: the label, smoothed",
                          .infer = ops::infer_cross_entropy,
                          .decompose = ops::decompose_cross_entropy,
                          .vjp = ops::vjp_cross_entropy,
                          .samples = ops::samples_cross_entropy};

const Op cross_entropy_grad_op{.name = "cross_entropy_grad",
                               .primitive = false,
                               .summary = "(softmax(logits) - target) dloss",
                               .infer = ops::infer_cross_entropy_grad,
                               .decompose = ops::decompose_cross_entropy_grad,
                               .samples = ops::samples_cross_entropy_grad};

}  // namespace temper
