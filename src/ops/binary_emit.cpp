// Emit maps of several operands, broadcasting as NumPy does.
#include <algorithm>

#include "ops/primitives.h"
#include "ops/rows.h"

namespace temper::ops {

static Dim common(const Dim& a, const Dim& b, const Shape& x, const Shape& y) {
  if (a == b || b == Dim(1)) return a;
  if (a == Dim(1)) return b;
  throw Error(ErrorKind::invalid, temper::concat("shapes ", to_string(x), " and ", to_string(y),
                                                 " do not broadcast: make their dimensions equal or 1"));
}

Shape broadcast_shapes(const Shape& x, const Shape& y) {
  const int rank = std::max(x.rank(), y.rank());
  Shape result;
  for (int i = 0; i < rank; ++i) {
    const int in_x = i - (rank - x.rank()), in_y = i - (rank - y.rank());
    result.push_back(common(in_x < 0 ? Dim(1) : x[in_x], in_y < 0 ? Dim(1) : y[in_y], x, y));
  }
  return result;
}

static Value emit_pair(Builder& b, const Op& op, Value x, Value y, Attributes attributes = {}) {
  const Shape shape = broadcast_shapes(b.shape(x), b.shape(y));
  return b.emit(op, {broadcast_to(b, x, shape), broadcast_to(b, y, shape)}, std::move(attributes));
}

Value add(Builder& b, Value x, Value y) { return emit_pair(b, add_op, x, y); }
Value sub(Builder& b, Value x, Value y) { return emit_pair(b, sub_op, x, y); }
Value mul(Builder& b, Value x, Value y) { return emit_pair(b, mul_op, x, y); }
Value div(Builder& b, Value x, Value y) { return emit_pair(b, div_op, x, y); }
Value rem(Builder& b, Value x, Value y) { return emit_pair(b, rem_op, x, y); }
Value pow(Builder& b, Value x, Value y) { return emit_pair(b, pow_op, x, y); }
Value max(Builder& b, Value x, Value y) { return emit_pair(b, max_op, x, y); }
Value min(Builder& b, Value x, Value y) { return emit_pair(b, min_op, x, y); }
Value bit_and(Builder& b, Value x, Value y) { return emit_pair(b, bit_and_op, x, y); }
Value bit_or(Builder& b, Value x, Value y) { return emit_pair(b, bit_or_op, x, y); }
Value bit_xor(Builder& b, Value x, Value y) { return emit_pair(b, bit_xor_op, x, y); }
Value shift_left(Builder& b, Value x, Value y) { return emit_pair(b, shift_left_op, x, y); }
Value shift_right_logical(Builder& b, Value x, Value y) { return emit_pair(b, shift_right_logical_op, x, y); }
Value shift_right_arithmetic(Builder& b, Value x, Value y) {
  return emit_pair(b, shift_right_arithmetic_op, x, y);
}

static Value scalar_like(Builder& b, Value x, double y) { return b.scalar(b.dtype(x), y); }

Value add(Builder& b, Value x, double y) { return add(b, x, scalar_like(b, x, y)); }
Value sub(Builder& b, Value x, double y) { return sub(b, x, scalar_like(b, x, y)); }
Value mul(Builder& b, Value x, double y) { return mul(b, x, scalar_like(b, x, y)); }
Value div(Builder& b, Value x, double y) { return div(b, x, scalar_like(b, x, y)); }
Value pow(Builder& b, Value x, double y) { return pow(b, x, scalar_like(b, x, y)); }
Value max(Builder& b, Value x, double y) { return max(b, x, scalar_like(b, x, y)); }
Value min(Builder& b, Value x, double y) { return min(b, x, scalar_like(b, x, y)); }

Value compare(Builder& b, Value x, Value y, std::string_view direction) {
  return emit_pair(b, compare_op, x, y, {{"direction", word(direction)}});
}

Value select(Builder& b, Value predicate, Value on_true, Value on_false) {
  const Shape shape =
      broadcast_shapes(b.shape(predicate), broadcast_shapes(b.shape(on_true), b.shape(on_false)));
  return b.emit(select_op, {broadcast_to(b, predicate, shape), broadcast_to(b, on_true, shape),
                            broadcast_to(b, on_false, shape)});
}

Value zeros(Builder& b, const Type& type) { return full(b, type, 0); }
Value full(Builder& b, const Type& type, double value) {
  return broadcast_in_dim(b, b.scalar(type.dtype, value), type.shape, {});
}

Value relu(Builder& b, Value x) { return max(b, x, 0); }
Value clamp(Builder& b, Value x, double low, double high) { return min(b, max(b, x, low), high); }

Value broadcast_to(Builder& b, Value x, const Shape& shape) {
  const Shape from = b.shape(x);
  if (from == shape) return x;
  Ints axes;
  for (int i = 0; i < from.rank(); ++i) axes.push_back(shape.rank() - from.rank() + i);
  return broadcast_in_dim(b, x, shape, axes);
}

}  // namespace temper::ops
