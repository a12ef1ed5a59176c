#include "ops/composite.h"

#include <algorithm>

namespace temper::ops {

bool has(const InferContext& context, size_t input) {
  return input < context.present.size() && context.present[input];
}

Value input(std::span<const Value> inputs, size_t index) {
  return index < inputs.size() ? inputs[index] : Value{};
}

bool needed(const VjpContext& context, size_t input) {
  return input < context.needed.size() && context.needed[input] && context.inputs[input];
}

std::vector<Value> only_needed(const VjpContext& context, std::vector<Value> grads) {
  grads.resize(context.inputs.size());
  for (size_t i = 0; i < grads.size(); ++i)
    if (!needed(context, i)) grads[i] = {};
  return grads;
}

Value add_present(Builder& b, Value x, Value y) { return x && y ? add(b, x, y) : x ? x : y; }

Value cotangent(const VjpContext& context, size_t output) { return input(context.cotangents, output); }

const Type& require(const InferContext& context, size_t input, std::string_view name) {
  if (!has(context, input)) fail(context, "input ", name, " is missing");
  return context.inputs[input];
}

const Type& require_float(const InferContext& context, size_t input, std::string_view name) {
  const Type& type = require(context, input, name);
  if (!is_float(type.dtype)) fail(context, name, " must be of a float type, is ", to_string(type));
  return type;
}

const Type& require_rank(const InferContext& context, size_t input, std::string_view name, int rank) {
  const Type& type = require(context, input, name);
  if (type.shape.rank() != rank) fail(context, name, " must have rank ", rank, ", is ", to_string(type));
  return type;
}

const Type& require_type(const InferContext& context, size_t input, std::string_view name,
                         const Type& expected) {
  const Type& type = require(context, input, name);
  if (type != expected) fail(context, name, " must be ", to_string(expected), ", is ", to_string(type));
  return type;
}

const Type& require_key(const InferContext& context, size_t input) {
  return require_type(context, input, "key", {DType::u32, {2}});
}

void require_inputs(const InferContext& context, size_t least, size_t most) {
  const size_t given = context.inputs.size();
  if (given >= least && given <= most) return;
  const std::string wanted = least == most ? std::to_string(least) : temper::concat(least, " to ", most);
  fail(context, "expected ", wanted, " inputs, got ", given);
}

int require_axis(const InferContext& context, int64_t axis, int rank) {
  if (axis < 0 || axis >= rank) fail(context, "axis ", axis, " is not in a tensor of rank ", rank);
  return static_cast<int>(axis);
}

DType compute_dtype(DType dtype) { return is_float(dtype) && bit_width(dtype) < 32 ? DType::f32 : dtype; }

Value widen(Builder& b, Value x) { return convert(b, x, compute_dtype(b.dtype(x))); }

Ints axes_from(int first, int rank) {
  Ints axes;
  for (int axis = first; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

Ints axes_but(int axis, int rank) {
  Ints axes = axes_from(0, rank);
  std::erase(axes, axis);
  return axes;
}

Shape with_ones(const Shape& shape, const Ints& axes) {
  Shape result = shape;
  for (int64_t axis : axes) result[static_cast<int>(axis)] = 1;
  return result;
}

Value keep_axes(Builder& b, Value reduced, const Shape& full, const Ints& axes) {
  return reshape(b, reduced, with_ones(full, axes));
}

Value sum_keep(Builder& b, Value x, const Ints& axes) {
  return keep_axes(b, reduce_sum(b, x, axes), b.shape(x), axes);
}

Value mean_keep(Builder& b, Value x, const Ints& axes) {
  return keep_axes(b, reduce_mean(b, x, axes), b.shape(x), axes);
}

Value count(Builder& b, Value x, const Ints& axes, DType dtype) {
  double known = 1;
  Value product;
  for (int64_t axis : axes) {
    const Dim dim = b.shape(x)[static_cast<int>(axis)];
    if (dim.is_static()) {
      known *= static_cast<double>(dim.size());
    } else {
      const Value size = dimension_size(b, x, axis, dtype);
      product = product ? mul(b, product, size) : size;
    }
  }
  return product ? mul(b, product, known) : b.scalar(dtype, known);
}

Value along_axis(Builder& b, Value vector, int axis, int rank) {
  Shape shape(std::vector<Dim>(static_cast<size_t>(rank), Dim(1)));
  shape[axis] = b.shape(vector)[0];
  return reshape(b, vector, shape);
}

}  // namespace temper::ops
