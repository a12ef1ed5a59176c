// Whole axes folded into one element: reduce and arg_reduce.
#include <cmath>

#include "ops/reduction.h"

namespace temper {
namespace {

Shape without(const Shape& shape, const Ints& axes) {
  Shape left;
  for (int64_t axis : other_axes(shape.rank(), axes)) left.push_back(shape[static_cast<int>(axis)]);
  return left;
}

std::vector<Type> infer_reduce(const InferContext& c) {
  expect_inputs(c, 1);
  infer_reduction(c);
  const Type& x = c.inputs[0];
  return {{x.dtype, without(x.shape, axes_attribute(c, "axes", x.shape.rank()))}};
}

// Per axis of x: how far one step along it moves in the result.
Ints result_strides(const Ints& sizes, const Ints& axes) {
  Ints strides(sizes.size(), 0);
  int64_t stride = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    if (contains(axes, static_cast<int64_t>(i))) continue;
    strides[i] = stride;
    stride *= sizes[i];
  }
  return strides;
}

std::vector<Array> evaluate_reduce(const EvaluateContext& c) {
  const Array& x = *c.inputs[0];
  const Reduction& kind = reduction(c.node.attributes.get<std::string>("kind"));
  const Ints sizes = x.type.shape.sizes(),
             strides = result_strides(sizes, c.node.attributes.get<Ints>("axes"));
  Array y = neutral_array(kind, c.outputs[0]);
  int64_t source = 0;
  for_each_index(sizes,
                 [&](const Ints& index) { fold_element(kind, x, source++, y, offset(index, strides)); });
  return {std::move(y)};
}

// A tie among the largest shares the gradient evenly.
std::vector<Value> vjp_reduce(Builder& b, const VjpContext& c) {
  const Ints& axes = c.node.attributes.get<Ints>("axes");
  const std::string_view kind = c.node.attributes.get<std::string>("kind");
  const Value x = c.inputs[0];
  const Shape shape = b.shape(x);
  const auto spread = [&](Value y) {
    return ops::broadcast_in_dim(b, y, shape, other_axes(shape.rank(), axes));
  };
  if (kind == "sum") return {spread(c.cotangents[0])};
  if (kind == "prod") {
    const Value zeros = spread(ops::reduce_sum(b, is_zero(b, x), axes));
    const Value rest = spread(ops::reduce(b, ones_for_zeros(b, x), axes, "prod"));
    return {ops::mul(b, spread(c.cotangents[0]), product_slope(b, x, zeros, rest))};
  }
  const Value best = ops::convert(b, ops::compare(b, x, spread(c.outputs[0]), "eq"), b.dtype(x));
  const Value share = ops::div(b, c.cotangents[0], ops::reduce_sum(b, best, axes));
  return {ops::mul(b, spread(share), best)};
}

Sample reduce_sample(const Type& type, const Ints& axes, std::string_view kind, const Fill& fill = {}) {
  return {.name = concat(kind, " ", to_string(type), " over ", join(axes, " ")),
          .inputs = {type},
          .attributes = {{"axes", axes}, {"kind", word(kind)}},
          .fills = {fill}};
}

std::vector<Sample> reduce_samples() {
  std::vector<Sample> samples;
  for (const char* kind : {"sum", "prod", "max", "min"}) {
    for (const Type& type : {f32({3, 5}), f64({3, 5}), f16({3, 5}), bf16({3, 5})})
      samples.push_back(reduce_sample(type, {1}, kind));
    for (const Type& type : {i8({3, 5}), u8({3, 5}), i32({3, 5}), i64({3, 5}), u64({3, 5})})
      samples.push_back(reduce_sample(type, {0}, kind, integers(-20, 20)));
    samples.push_back(reduce_sample(f32({2, 3, 4}), {0, 2}, kind));
    samples.push_back(reduce_sample(f32({2, 3, 4}), {0, 1, 2}, kind));
    samples.push_back(reduce_sample(f32({2, 3, 4}), {}, kind));
    samples.push_back(reduce_sample(f32({2, 3, 2, 3, 2}), {1, 3}, kind));
    samples.push_back(reduce_sample(f32({2, 0}), {1}, kind));  // the neutral element, perhaps infinite
    samples.back().smooth = false;
    samples.push_back(reduce_sample(f32({}), {}, kind));
  }
  samples.push_back(reduce_sample(f32({4, 1031}), {1}, "sum"));
  samples.push_back(reduce_sample(f32({1031, 4}), {0}, "max"));
  for (const char* kind : {"and", "or"}) {
    samples.push_back(reduce_sample(boolean({3, 5}), {1}, kind));
    samples.push_back(reduce_sample(i32({3, 5}), {0}, kind, integers(-20, 20)));
  }
  Sample ties = reduce_sample(f32({4, 6}), {1}, "max", integers(0, 2)),
         zeros = reduce_sample(f32({8, 5}), {1}, "prod", integers(-1, 3));
  ties.name = "ties", ties.smooth = false;
  zeros.name = "products with zeros";
  samples.push_back(ties);
  samples.push_back(zeros);
  return samples;
}

std::vector<Type> infer_arg_reduce(const InferContext& c) {
  expect_inputs(c, 1);
  expect_dtype(c, 0, [](DType d) { return is_arithmetic(d) || d == DType::boolean; }, "numbers");
  const Shape& shape = c.inputs[0].shape;
  const int axis = axis_attribute(c, "axis", shape.rank());
  if (shape[axis] == Dim(0)) c.fail(concat("axis ", axis, " of ", to_string(c.inputs[0]), " is empty"));
  word_attribute(c, "kind", {"max", "min"});
  c.attributes.get<bool>("last");
  const auto dtype = c.attributes.get<DType>("dtype");
  if (dtype != DType::i32 && dtype != DType::i64)
    c.fail(concat("expected dtype i32 or i64, found ", to_string(dtype)));
  return {{dtype, without(shape, {axis})}};
}

// Whether the element at i beats the best so far; NaN beats every number.
bool beats(const Array& x, size_t i, size_t best, bool largest, bool last) {
  if (is_float(x.type.dtype)) {
    const double a = x.reals[i], b = x.reals[best];
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && (last || !std::isnan(b));
    return (largest ? a > b : a < b) || (last && a == b);
  }
  const int64_t a = x.ints[i], b = x.ints[best];
  return (largest ? less(x.type.dtype, b, a) : less(x.type.dtype, a, b)) || (last && a == b);
}

std::vector<Array> evaluate_arg_reduce(const EvaluateContext& c) {
  const Array& x = *c.inputs[0];
  const auto axis = static_cast<size_t>(c.node.attributes.get<int64_t>("axis"));
  const bool largest = c.node.attributes.get<std::string>("kind") == "max",
             last = c.node.attributes.get<bool>("last");
  const Ints sizes = x.type.shape.sizes(), strides = result_strides(sizes, {static_cast<int64_t>(axis)});
  Array y = make_array(c.outputs[0]);
  std::vector<size_t> best(y.ints.size());
  size_t source = 0;
  for_each_index(sizes, [&](const Ints& index) {
    const auto target = static_cast<size_t>(offset(index, strides));
    if (index[axis] == 0 || beats(x, source, best[target], largest, last)) {
      best[target] = source;
      y.ints[target] = index[axis];
    }
    ++source;
  });
  return {std::move(y)};
}

Sample arg_sample(const Type& type, int64_t axis, std::string_view kind, DType dtype, bool last,
                  const Fill& fill) {
  return {
      .name = concat(kind, " ", to_string(type), " along ", axis, last ? " last" : ""),
      .inputs = {type},
      .attributes = {{"axis", integer(axis)}, {"dtype", dtype}, {"kind", word(kind)}, {"last", flag(last)}},
      .fills = {fill}};
}

std::vector<Sample> arg_reduce_samples() {
  std::vector<Sample> samples;
  for (const char* kind : {"max", "min"}) {
    for (bool last : {false, true}) {
      samples.push_back(arg_sample(f32({3, 5}), 1, kind, DType::i64, last, integers(0, 3)));
      samples.push_back(arg_sample(f32({4, 3, 2}), 0, kind, DType::i32, last, {}));
      samples.push_back(arg_sample(i8({3, 7}), 1, kind, DType::i64, last, integers(-3, 3)));
      samples.push_back(arg_sample(u64({3, 7}), 0, kind, DType::i64, last, integers(-3, 3)));
    }
    samples.push_back(arg_sample(f16({9}), 0, kind, DType::i64, false, {}));
    samples.push_back(arg_sample(f64({2, 2, 5, 2}), 2, kind, DType::i64, false, {}));
    samples.push_back(arg_sample(f32({0, 3}), 1, kind, DType::i64, false, {}));
  }
  Sample nan = arg_sample(f32({6}), 0, "max", DType::i64, false, all(NAN));
  nan.name = "nan";
  samples.push_back(nan);
  return samples;
}

}  // namespace

const Op reduce_op{
    .name = "reduce",
    .summary = "y = x folded along `axes` by `kind`: sum, prod, max, min, and, or; the axes vanish",
    .infer = infer_reduce,
    .evaluate = evaluate_reduce,
    .vjp = vjp_reduce,
    .samples = reduce_samples};

const Op arg_reduce_op{
    .name = "arg_reduce",
    .summary =
        "y = the index along `axis` of the largest or smallest element; NaN beats all; of equals the "
        "first, or the `last`",
    .infer = infer_arg_reduce,
    .evaluate = evaluate_arg_reduce,
    .no_gradient = "its result is an index",
    .samples = arg_reduce_samples};

namespace ops {

Value reduce(Builder& b, Value x, const Ints& axes, std::string_view kind) {
  return axes.empty() ? x : b.emit(reduce_op, {x}, {{"axes", axes}, {"kind", word(kind)}});
}

Value reduce_sum(Builder& b, Value x, const Ints& axes) { return reduce(b, x, axes, "sum"); }
Value reduce_max(Builder& b, Value x, const Ints& axes) { return reduce(b, x, axes, "max"); }

Value reduce_mean(Builder& b, Value x, const Ints& axes) {
  const Value sum = reduce_sum(b, x, axes);  // of its own, so that every compiler emits it first
  return div(b, sum, count(b, x, axes, b.dtype(x)));
}

Value arg_reduce(Builder& b, Value x, int64_t axis, std::string_view kind, DType dtype, bool last) {
  return b.emit(arg_reduce_op, {x},
                {{"axis", integer(axis)}, {"dtype", dtype}, {"kind", word(kind)}, {"last", flag(last)}});
}

}  // namespace ops
}  // namespace temper
