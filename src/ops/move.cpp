// Moves whose result holds elements of the operand in another order or number.
#include <algorithm>

#include "ops/map.h"

namespace temper {
namespace {

std::vector<Type> infer_reshape(const InferContext& c) {
  expect_inputs(c, 1);
  const auto& shape = c.attributes.get<Shape>("shape");
  if (!equal_products(c.inputs[0].shape, shape))
    c.fail(concat(to_string(c.inputs[0]), " has not as many elements as ", to_string(shape)));
  return {{c.inputs[0].dtype, shape}};
}

std::vector<Array> evaluate_reshape(const EvaluateContext& c) {
  Array y = *c.inputs[0];
  y.type = c.outputs[0];
  return {std::move(y)};
}

std::vector<Value> vjp_reshape(Builder& b, const VjpContext& c) {
  return {ops::reshape(b, c.cotangents[0], b.shape(c.inputs[0]))};
}

Sample reshape_sample(const Type& from, const Shape& to) {
  return {.name = concat(to_string(from), " to ", to_string(to)),
          .inputs = {from},
          .attributes = {{"shape", to}}};
}

std::vector<Sample> reshape_samples() {
  return {reshape_sample(f32({2, 6}), {3, 4}),     reshape_sample(f32({2, 3, 4}), {24}),
          reshape_sample(f32({}), {1, 1}),         reshape_sample(f32({1}), {}),
          reshape_sample(f32({0, 3}), {5, 0, 2}),  reshape_sample(f32({4, 6}), {2, 2, 1, 3, 2}),
          reshape_sample(f16({2, 6}), {12}),       reshape_sample(i8({2, 6}), {12}),
          reshape_sample(boolean({2, 6}), {6, 2}), reshape_sample(i64({6}), {2, 3})};
}

std::vector<Type> infer_transpose(const InferContext& c) {
  expect_inputs(c, 1);
  const Shape& from = c.inputs[0].shape;
  const Ints permutation = axes_attribute(c, "permutation", from.rank());
  expect_entries(c, "permutation", permutation, from.rank());
  Shape shape;
  for (int64_t axis : permutation) shape.push_back(from[static_cast<int>(axis)]);
  return {{c.inputs[0].dtype, shape}};
}

std::vector<Array> evaluate_transpose(const EvaluateContext& c) {
  const Ints from = row_major_strides(c.inputs[0]->type.shape.sizes());
  Ints strides;
  for (int64_t axis : c.node.attributes.get<Ints>("permutation"))
    strides.push_back(from[static_cast<size_t>(axis)]);
  return {strided(c.outputs[0], *c.inputs[0], 0, strides)};
}

std::vector<Value> vjp_transpose(Builder& b, const VjpContext& c) {
  const Ints& permutation = c.node.attributes.get<Ints>("permutation");
  Ints inverse(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i)
    inverse[static_cast<size_t>(permutation[i])] = static_cast<int64_t>(i);
  return {ops::transpose(b, c.cotangents[0], inverse)};
}

Sample transpose_sample(const Type& type, const Ints& permutation) {
  return {.name = concat(to_string(type), " by ", join(permutation, " ")),
          .inputs = {type},
          .attributes = {{"permutation", permutation}}};
}

std::vector<Sample> transpose_samples() {
  return {transpose_sample(f32({3, 5}), {1, 0}),
          transpose_sample(f32({2, 3, 4}), {0, 2, 1}),
          transpose_sample(f32({2, 3, 4}), {2, 0, 1}),
          transpose_sample(f32({2, 3, 4, 5}), {0, 2, 3, 1}),
          transpose_sample(f32({2, 3, 4, 5}), {0, 3, 1, 2}),
          transpose_sample(f32({2, 3, 1, 2, 4}), {4, 3, 2, 1, 0}),
          transpose_sample(f32({}), {}),
          transpose_sample(f32({0, 3}), {1, 0}),
          transpose_sample(f32({33, 70}), {1, 0}),
          transpose_sample(f64({3, 5}), {1, 0}),
          transpose_sample(f16({3, 5}), {1, 0}),
          transpose_sample(i8({3, 5}), {1, 0}),
          transpose_sample(i64({3, 5}), {1, 0}),
          transpose_sample(boolean({3, 5}), {1, 0})};
}

std::vector<Type> infer_broadcast(const InferContext& c) {
  expect_inputs(c, 1);
  const Shape& from = c.inputs[0].shape;
  const auto& shape = c.attributes.get<Shape>("shape");
  const Ints axes = axes_attribute(c, "axes", shape.rank());
  expect_entries(c, "axes", axes, from.rank());
  for (int i = 0; i < from.rank(); ++i) {
    const Dim& to = shape[static_cast<int>(axes[static_cast<size_t>(i)])];
    if (from[i] != to && from[i] != Dim(1))
      c.fail(concat("axis ", i, " of ", to_string(c.inputs[0]), " is neither 1 nor that of ",
                    to_string(shape), " at axis ", axes[static_cast<size_t>(i)]));
  }
  return {{c.inputs[0].dtype, shape}};
}

std::vector<Array> evaluate_broadcast(const EvaluateContext& c) {
  const Array& x = *c.inputs[0];
  const Ints sizes = x.type.shape.sizes(), from = row_major_strides(sizes);
  const Ints& axes = c.node.attributes.get<Ints>("axes");
  Ints strides(static_cast<size_t>(c.outputs[0].shape.rank()), 0);
  for (size_t i = 0; i < axes.size(); ++i)
    strides[static_cast<size_t>(axes[i])] = sizes[i] == 1 ? 0 : from[i];
  return {strided(c.outputs[0], x, 0, strides)};
}

std::vector<Value> vjp_broadcast(Builder& b, const VjpContext& c) {
  const Shape from = b.shape(c.inputs[0]), to = b.shape(c.cotangents[0]);
  const Ints& axes = c.node.attributes.get<Ints>("axes");
  Ints kept, order;  // the axes that carry x's own elements, as x orders them
  for (int i = 0; i < from.rank(); ++i) {
    const int64_t axis = axes[static_cast<size_t>(i)];
    if (from[i] == to[static_cast<int>(axis)]) kept.push_back(axis);
  }
  const Ints summed = other_axes(to.rank(), kept);
  const Ints left = other_axes(to.rank(), summed);
  for (int64_t axis : kept) order.push_back(std::find(left.begin(), left.end(), axis) - left.begin());
  Value dx = summed.empty() ? c.cotangents[0] : ops::reduce_sum(b, c.cotangents[0], summed);
  return {ops::reshape(b, ops::transpose(b, dx, order), from)};
}

Sample broadcast_sample(const Type& from, const Shape& to, const Ints& axes) {
  return {.name = concat(to_string(from), " to ", to_string(to), " at ", join(axes, " ")),
          .inputs = {from},
          .attributes = {{"axes", axes}, {"shape", to}}};
}

std::vector<Sample> broadcast_samples() {
  return {broadcast_sample(f32({}), {3, 5}, {}),
          broadcast_sample(f32({5}), {3, 5}, {1}),
          broadcast_sample(f32({3}), {3, 5}, {0}),
          broadcast_sample(f32({3, 1}), {3, 5}, {0, 1}),
          broadcast_sample(f32({2, 3}), {3, 2}, {1, 0}),
          broadcast_sample(f32({1, 4}), {2, 3, 4}, {0, 2}),
          broadcast_sample(f32({3, 2}), {2, 4, 3}, {2, 0}),
          broadcast_sample(f32({4}), {2, 4, 3, 3}, {1}),
          broadcast_sample(f32({1}), {0, 3}, {1}),
          broadcast_sample(f32({2, 1, 3, 1, 2}), {2, 2, 3, 3, 2}, {0, 1, 2, 3, 4}),
          broadcast_sample(f64({5}), {3, 5}, {1}),
          broadcast_sample(f16({5}), {3, 5}, {1}),
          broadcast_sample(i8({5}), {3, 5}, {1}),
          broadcast_sample(i64({5}), {3, 5}, {1}),
          broadcast_sample(boolean({5}), {3, 5}, {1})};
}

std::vector<Type> infer_reverse(const InferContext& c) {
  expect_inputs(c, 1);
  axes_attribute(c, "axes", c.inputs[0].shape.rank());
  return {c.inputs[0]};
}

std::vector<Array> evaluate_reverse(const EvaluateContext& c) {
  const Ints sizes = c.outputs[0].shape.sizes();
  Ints strides = row_major_strides(sizes);
  int64_t base = 0;
  for (int64_t axis : c.node.attributes.get<Ints>("axes")) {
    int64_t& stride = strides[static_cast<size_t>(axis)];
    base += (sizes[static_cast<size_t>(axis)] - 1) * stride;
    stride = -stride;
  }
  return {strided(c.outputs[0], *c.inputs[0], base, strides)};
}

std::vector<Value> vjp_reverse(Builder& b, const VjpContext& c) {
  return {ops::reverse(b, c.cotangents[0], c.node.attributes.get<Ints>("axes"))};
}

Sample reverse_sample(const Type& type, const Ints& axes) {
  return {.name = concat(to_string(type), " along ", join(axes, " ")),
          .inputs = {type},
          .attributes = {{"axes", axes}}};
}

std::vector<Sample> reverse_samples() {
  return {reverse_sample(f32({5}), {0}),          reverse_sample(f32({3, 4}), {1}),
          reverse_sample(f32({3, 4, 2}), {0, 2}), reverse_sample(f32({2, 3}), {}),
          reverse_sample(f32({0, 3}), {0, 1}),    reverse_sample(f64({3, 4}), {0}),
          reverse_sample(i32({3, 4}), {0, 1}),    reverse_sample(boolean({7}), {0})};
}

}  // namespace

const Op reshape_op{.name = "reshape",
                    .summary = "y = the elements of x, in row-major order, in `shape`",
                    .infer = infer_reshape,
                    .evaluate = evaluate_reshape,
                    .vjp = vjp_reshape,
                    .samples = reshape_samples};

const Op transpose_op{.name = "transpose",
                      .summary = "axis i of y is axis `permutation`[i] of x",
                      .infer = infer_transpose,
                      .evaluate = evaluate_transpose,
                      .vjp = vjp_transpose,
                      .samples = transpose_samples};

const Op broadcast_in_dim_op{
    .name = "broadcast_in_dim",
    .summary = "axis i of x becomes axis `axes`[i] of `shape`; new axes and those of size 1 repeat",
    .infer = infer_broadcast,
    .evaluate = evaluate_broadcast,
    .vjp = vjp_broadcast,
    .samples = broadcast_samples};

const Op reverse_op{.name = "reverse",
                    .summary = "y = x with the order along each of `axes` turned round",
                    .infer = infer_reverse,
                    .evaluate = evaluate_reverse,
                    .vjp = vjp_reverse,
                    .samples = reverse_samples};

namespace ops {

Value reshape(Builder& b, Value x, const Shape& shape) {
  return b.shape(x) == shape ? x : b.emit(reshape_op, {x}, {{"shape", shape}});
}

Value transpose(Builder& b, Value x, const Ints& permutation) {
  if (permutation == range(0, b.shape(x).rank())) return x;
  return b.emit(transpose_op, {x}, {{"permutation", permutation}});
}

Value broadcast_in_dim(Builder& b, Value x, const Shape& shape, const Ints& axes) {
  if (b.shape(x) == shape && axes == range(0, shape.rank())) return x;
  return b.emit(broadcast_in_dim_op, {x}, {{"axes", axes}, {"shape", shape}});
}

Value reverse(Builder& b, Value x, const Ints& axes) {
  return axes.empty() ? x : b.emit(reverse_op, {x}, {{"axes", axes}});
}

}  // namespace ops
}  // namespace temper
