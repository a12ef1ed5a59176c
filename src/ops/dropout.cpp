// Dropout with an explicit key, and the mark that inference leaves where training drops.
#include <cmath>

#include "ops/composite.h"
#include "ops/composites.h"

namespace temper::ops {

Value dropout(Builder& b, Value x, Value key, double rate, int64_t stream) {
  return b.emit(dropout_op, {x, key}, {{"rate", real(rate)}, {"stream", integer(stream)}});
}

Value dropout_infer(Builder& b, Value x, double rate) {
  return b.emit(dropout_infer_op, {x}, {{"rate", real(rate)}});
}

static const Type& require_dropped(const InferContext& context) {
  const double rate = context.attributes.get<double>("rate");
  if (!(rate >= 0 && rate < 1)) fail(context, "rate must be in [0, 1), is ", rate);
  return require_float(context, 0, "x");
}

static std::vector<Type> infer_dropout(const InferContext& context) {
  require_inputs(context, 2, 2);
  require_key(context, 1);
  return {require_dropped(context)};
}

static std::vector<Type> infer_dropout_infer(const InferContext& context) {
  require_inputs(context, 1, 1);
  return {require_dropped(context)};
}

Value dropout_of_part(Builder& b, Value x, Value key, Value first, double rate, int64_t stream) {
  const Value wide = widen(b, x);
  const Value stream_key = fold_in(b, key, static_cast<uint64_t>(stream));
  const Value bits = random_bits(b, stream_key, b.shape(x), first);
  const Value keep = compare(b, bits, b.scalar(DType::u32, std::floor(rate * 0x1p32)), "ge");
  const Value y = select(b, keep, mul(b, wide, 1 / (1 - rate)), b.scalar(b.dtype(wide), 0));
  return convert(b, y, b.dtype(x));
}

static std::vector<Value> decompose_dropout(Builder& b, const NodeView& view) {
  return {dropout_of_part(b, view.inputs[0], view.inputs[1], {}, view.attributes().get<double>("rate"),
                          view.attributes().get<int64_t>("stream"))};
}

static std::vector<Value> decompose_dropout_infer(Builder&, const NodeView& view) { return {view.inputs[0]}; }

static std::vector<Value> vjp_dropout(Builder& b, const VjpContext& context) {
  std::vector<Value> grads(2);
  const Attributes& attributes = context.node.attributes;
  if (needed(context, 0)) {
    grads[0] = dropout(b, context.cotangents[0], context.inputs[1], attributes.get<double>("rate"),
                       attributes.get<int64_t>("stream"));
  }
  return grads;
}

static std::vector<Value> vjp_dropout_infer(Builder&, const VjpContext& context) {
  return {context.cotangents[0]};
}

static std::vector<Sample> samples_dropout() {
  std::vector<Sample> samples;
  for (double rate : {0.0, 0.1, 0.5}) {
    for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
      samples.push_back({temper::concat(to_string(dtype), ", rate ", rate),
                         {{dtype, {5, 13}}, {DType::u32, {2}}},
                         {{"rate", real(rate)}, {"stream", integer(3)}},
                         {{}, {.kind = Fill::integers, .low = 0, .high = 0x1p32}}});
    }
  }
  return samples;
}

static std::vector<Sample> samples_dropout_infer() {
  return {{"rows", {{DType::f32, {5, 13}}}, {{"rate", real(0.5)}}}};
}

}  // namespace temper::ops

namespace temper {

const Op dropout_op{.name = "dropout",
                    .primitive = false,
                    .summary = "y = x / (1 - rate), or 0 where random_bits(fold_in(key, stream)) < rate 2^32",
                    .infer = ops::infer_dropout,
                    .decompose = ops::decompose_dropout,
                    .vjp = ops::vjp_dropout,
                    .samples = ops::samples_dropout};

const Op dropout_infer_op{.name = "dropout_infer",
                          .primitive = false,
                          .summary = "y = x; marks where training drops",
                          .infer = ops::infer_dropout_infer,
                          .decompose = ops::decompose_dropout_infer,
                          .vjp = ops::vjp_dropout_infer,
                          .samples = ops::samples_dropout_infer};

}  // namespace temper
