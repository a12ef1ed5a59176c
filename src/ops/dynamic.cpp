// One window at a place that is a value: dynamic_slice and dynamic_update_slice.
#include <algorithm>

#include "ops/map.h"

namespace temper {
namespace {

void expect_starts(const InferContext& c, size_t input) {
  const Type wanted = i64({c.inputs[0].shape.rank()});
  if (c.inputs[input] != wanted)
    c.fail(concat("starts must be ", to_string(wanted), ", found ", to_string(c.inputs[input])));
}

// Where a window of `sizes` begins once it is moved to lie within x.
Ints clamped(const Array& starts, const Ints& x, const Ints& sizes) {
  Ints places;
  for (size_t i = 0; i < x.size(); ++i)
    places.push_back(std::clamp<int64_t>(starts.ints[i], 0, x[i] - sizes[i]));
  return places;
}

std::vector<Type> infer_dynamic_slice(const InferContext& c) {
  expect_inputs(c, 2);
  expect_starts(c, 1);
  const Shape& x = c.inputs[0].shape;
  const Ints sizes = sizes_attribute(c, "sizes", x.rank(), -1);
  Shape shape;
  for (int i = 0; i < x.rank(); ++i) {
    const int64_t size = sizes[static_cast<size_t>(i)];
    if (size >= 0 && x[i].is_static() && size > x[i].size())
      c.fail(concat("sizes [", join(sizes, ", "), "] do not fit into ", to_string(c.inputs[0])));
    shape.push_back(size < 0 ? x[i] : Dim(size));
  }
  return {{c.inputs[0].dtype, shape}};
}

std::vector<Array> evaluate_dynamic_slice(const EvaluateContext& c) {
  const Array& x = *c.inputs[0];
  const Ints sizes = x.type.shape.sizes(), strides = row_major_strides(sizes);
  const Ints places = clamped(*c.inputs[1], sizes, c.outputs[0].shape.sizes());
  return {strided(c.outputs[0], x, offset(places, strides), strides)};
}

std::vector<Value> vjp_dynamic_slice(Builder& b, const VjpContext& c) {
  return {ops::dynamic_update_slice(b, ops::zeros(b, b.type(c.inputs[0])), c.cotangents[0], c.inputs[1])};
}

std::vector<Sample> dynamic_slice_samples() {
  const auto sample = [](const Type& x, const Ints& sizes, const Fill& starts) -> Sample {
    return {.name = concat(to_string(x), " to ", join(sizes, " ")),
            .inputs = {x, i64({x.shape.rank()})},
            .attributes = {{"sizes", sizes}},
            .fills = {is_float(x.dtype) ? Fill{} : integers(-9, 9), starts}};
  };
  return {sample(f32({7}), {3}, integers(0, 4)),
          sample(f32({5, 6}), {2, 3}, integers(0, 3)),
          sample(f32({5, 6}), {2, -1}, integers(-9, 9)),
          sample(f32({3, 4, 5}), {1, 4, 2}, integers(0, 9)),
          sample(f32({}), {}, {}),
          sample(f32({4}), {0}, integers(0, 3)),
          sample(f64({5, 6}), {2, 3}, integers(0, 3)),
          sample(f16({5, 6}), {2, 3}, integers(0, 3)),
          sample(i8({5, 6}), {2, 3}, integers(0, 3)),
          sample(boolean({5, 6}), {2, 3}, integers(0, 3))};
}

std::vector<Type> infer_dynamic_update_slice(const InferContext& c) {
  expect_inputs(c, 3);
  expect_equal_dtypes(c, 0, 1);
  expect_starts(c, 2);
  const Shape &x = c.inputs[0].shape, &update = c.inputs[1].shape;
  bool fits = x.rank() == update.rank();
  for (int i = 0; fits && i < x.rank(); ++i)
    fits = x[i] == update[i] ||
           (update[i].is_static() && (!x[i].is_static() || update[i].size() <= x[i].size()));
  if (!fits)
    c.fail(concat("the update ", to_string(c.inputs[1]), " does not fit into ", to_string(c.inputs[0])));
  return {c.inputs[0]};
}

std::vector<Array> evaluate_dynamic_update_slice(const EvaluateContext& c) {
  const Array& update = *c.inputs[1];
  Array y = *c.inputs[0];
  const Ints sizes = y.type.shape.sizes(), strides = row_major_strides(sizes),
             window = update.type.shape.sizes();
  const int64_t base = offset(clamped(*c.inputs[2], sizes, window), strides);
  int64_t source = 0;
  for_each_index(
      window, [&](const Ints& index) { copy_element(update, source++, y, base + offset(index, strides)); });
  return {std::move(y)};
}

std::vector<Value> vjp_dynamic_update_slice(Builder& b, const VjpContext& c) {
  const Value dy = c.cotangents[0], update = c.inputs[1], starts = c.inputs[2];
  std::vector<Value> result(3);
  if (ops::needed(c, 0)) result[0] = ops::dynamic_update_slice(b, dy, ops::zeros(b, b.type(update)), starts);
  if (ops::needed(c, 1)) {
    Ints sizes;
    for (const Dim& dim : b.shape(update)) sizes.push_back(dim.is_static() ? dim.size() : -1);
    result[1] = ops::dynamic_slice(b, dy, starts, sizes);
  }
  return result;
}

std::vector<Sample> dynamic_update_slice_samples() {
  const auto sample = [](const Type& x, const Shape& update, const Fill& starts) -> Sample {
    const Fill numbers = is_float(x.dtype) ? Fill{} : integers(-9, 9);
    return {.name = concat(to_string(x), " with ", to_string(update)),
            .inputs = {x, {x.dtype, update}, i64({x.shape.rank()})},
            .fills = {numbers, numbers, starts}};
  };
  return {sample(f32({7}), {3}, integers(0, 4)),
          sample(f32({5, 6}), {2, 3}, integers(0, 3)),
          sample(f32({5, 6}), {2, 6}, integers(-9, 9)),
          sample(f32({3, 4, 5}), {1, 4, 2}, integers(0, 9)),
          sample(f32({}), {}, {}),
          sample(f32({4}), {0}, integers(0, 3)),
          sample(f64({5, 6}), {2, 3}, integers(0, 3)),
          sample(f16({5, 6}), {2, 3}, integers(0, 3)),
          sample(i8({5, 6}), {2, 3}, integers(0, 3)),
          sample(boolean({5, 6}), {2, 3}, integers(0, 3))};
}

}  // namespace

const Op dynamic_slice_op{
    .name = "dynamic_slice",
    .summary = "y = the window of x of `sizes` (-1: the whole axis) at starts, moved to lie within x",
    .infer = infer_dynamic_slice,
    .evaluate = evaluate_dynamic_slice,
    .vjp = vjp_dynamic_slice,
    .samples = dynamic_slice_samples};

const Op dynamic_update_slice_op{.name = "dynamic_update_slice",
                                 .summary = "y = x with update written at starts, moved to lie within x",
                                 .infer = infer_dynamic_update_slice,
                                 .evaluate = evaluate_dynamic_update_slice,
                                 .vjp = vjp_dynamic_update_slice,
                                 .samples = dynamic_update_slice_samples};

namespace ops {

Value dynamic_slice(Builder& b, Value x, Value starts, const Ints& sizes) {
  return b.emit(dynamic_slice_op, {x, starts}, {{"sizes", sizes}});
}

Value dynamic_update_slice(Builder& b, Value x, Value update, Value starts) {
  return b.emit(dynamic_update_slice_op, {x, update, starts});
}

}  // namespace ops
}  // namespace temper
