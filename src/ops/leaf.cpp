// Values that come from no operand's elements.
#include "ops/map.h"

namespace temper {
namespace {

std::vector<Type> infer_iota(const InferContext& c) {
  expect_inputs(c, 0);
  const Type type{c.attributes.get<DType>("dtype"), c.attributes.get<Shape>("shape")};
  if (!is_arithmetic(type.dtype))
    c.fail(concat("expected a dtype of numbers, found ", to_string(type.dtype)));
  axis_attribute(c, "axis", type.shape.rank());
  return {type};
}

std::vector<Array> evaluate_iota(const EvaluateContext& c) {
  Array y = make_array(c.outputs[0]);
  const auto axis = static_cast<size_t>(c.node.attributes.get<int64_t>("axis"));
  size_t at = 0;
  for_each_index(y.type.shape.sizes(), [&](const Ints& index) {
    if (is_float(y.type.dtype)) {
      y.reals[at++] = static_cast<double>(index[axis]);
    } else {
      y.ints[at++] = wrap(y.type.dtype, index[axis]);
    }
  });
  return {std::move(y)};
}

Sample iota_sample(const Type& type, int64_t axis) {
  return {.name = concat(to_string(type), " axis ", axis),
          .inputs = {},
          .attributes = {{"axis", integer(axis)}, {"dtype", type.dtype}, {"shape", type.shape}}};
}

std::vector<Sample> iota_samples() {
  return {iota_sample(f32({7}), 0),       iota_sample(f32({3, 4, 2}), 0),
          iota_sample(f32({3, 4, 2}), 1), iota_sample(f32({3, 4, 2}), 2),
          iota_sample(f32({0, 2}), 1),    iota_sample(i64({2, 5}), 1),
          iota_sample(u8({300}), 0),      iota_sample(i32({9}), 0),
          iota_sample(f16({5}), 0),       iota_sample(u64({2, 1, 2, 1, 3}), 4)};
}

std::vector<Type> infer_dimension_size(const InferContext& c) {
  expect_inputs(c, 1);
  axis_attribute(c, "axis", c.inputs[0].shape.rank());
  const auto dtype = c.attributes.get<DType>("dtype");
  if (!is_arithmetic(dtype)) c.fail(concat("expected a dtype of numbers, found ", to_string(dtype)));
  return {{dtype, {}}};
}

std::vector<Array> evaluate_dimension_size(const EvaluateContext& c) {
  const int64_t size = c.inputs[0]->type.shape.size(static_cast<int>(c.node.attributes.get<int64_t>("axis")));
  Array y = make_array(c.outputs[0]);
  if (is_float(y.type.dtype)) {
    y.reals[0] = static_cast<double>(size);
  } else {
    y.ints[0] = wrap(y.type.dtype, size);
  }
  return {std::move(y)};
}

std::vector<Sample> dimension_size_samples() {
  std::vector<Sample> samples;
  for (DType dtype : {DType::i32, DType::i64, DType::f32}) {
    for (int64_t axis : {0, 2})
      samples.push_back({.name = concat(to_string(dtype), " axis ", axis),
                         .inputs = {f32({3, 4, 5})},
                         .attributes = {{"axis", integer(axis)}, {"dtype", dtype}}});
  }
  return samples;
}

}  // namespace

const Op iota_op{.name = "iota",
                 .summary = "y[..., i, ...] = i along `axis`",
                 .infer = infer_iota,
                 .evaluate = evaluate_iota,
                 .no_gradient = "it has no inputs",
                 .samples = iota_samples};

const Op dimension_size_op{.name = "dimension_size",
                           .summary = "y = the size of `axis` of x, also where it is symbolic; gradient 0",
                           .infer = infer_dimension_size,
                           .evaluate = evaluate_dimension_size,
                           .vjp = [](Builder&, const VjpContext&) -> std::vector<Value> { return {Value{}}; },
                           .samples = dimension_size_samples};

namespace ops {

Value iota(Builder& b, DType dtype, const Shape& shape, int64_t axis) {
  return b.emit(iota_op, {}, {{"axis", integer(axis)}, {"dtype", dtype}, {"shape", shape}});
}

Value dimension_size(Builder& b, Value x, int64_t axis, DType dtype) {
  return b.emit(dimension_size_op, {x}, {{"axis", integer(axis)}, {"dtype", dtype}});
}

}  // namespace ops
}  // namespace temper
