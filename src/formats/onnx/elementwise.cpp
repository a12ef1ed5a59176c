// Operators that work element by element, but for activations.
#include <array>
#include <limits>

#include "formats/bytes.h"
#include "formats/onnx/call.h"

namespace temper::onnx {

namespace {

// Both broadcast to their common shape: Error invalid rather than a failed check of ours.
struct Pair {
  Value x, y;
};
Pair operands(Call& c, Value x, Value y) {
  const Shape shape = common_shape(c, c.b.shape(x), c.b.shape(y));
  c.expect(c.b.dtype(x) == c.b.dtype(y), "operands are ", to_string(c.b.dtype(x)), " and ",
           to_string(c.b.dtype(y)));
  return {broadcast(c, x, shape), broadcast(c, y, shape)};
}

template <Value (*op)(Builder&, Value, Value)>
Results binary(Call& c) {
  const Pair pair = operands(c, c.in(0), c.in(1));
  return {op(c.b, pair.x, pair.y)};
}

template <Value (*op)(Builder&, Value)>
Results unary(Call& c) {
  return {op(c.b, c.in(0))};
}

Value compare_as(Call& c, std::string_view direction) {
  const Pair pair = operands(c, c.in(0), c.in(1));
  return ops::compare(c.b, pair.x, pair.y, direction);
}
Results equal(Call& c) { return {compare_as(c, "eq")}; }
Results less(Call& c) { return {compare_as(c, "lt")}; }
Results less_or_equal(Call& c) { return {compare_as(c, "le")}; }
Results greater(Call& c) { return {compare_as(c, "gt")}; }
Results greater_or_equal(Call& c) { return {compare_as(c, "ge")}; }

template <Value (*op)(Builder&, Value, Value)>
Value fold_operands(Call& c) {
  Value result = c.in(0);
  for (size_t i = 1; i < c.count(); ++i) {
    const Pair pair = operands(c, result, c.in(i));
    result = op(c.b, pair.x, pair.y);
  }
  return result;
}
Results maximum(Call& c) { return {fold_operands<ops::max>(c)}; }
Results minimum(Call& c) { return {fold_operands<ops::min>(c)}; }
Results sum(Call& c) { return {fold_operands<ops::add>(c)}; }
Results mean(Call& c) {
  const Value total = fold_operands<ops::add>(c);
  return {ops::div(c.b, total, splat(c, total, static_cast<double>(c.count())))};
}

// The result has the type of the base.
Results power(Call& c) {
  Value x = c.in(0), y = c.in(1);
  const DType result = c.b.dtype(x);
  const bool through_exponent = !is_float(result) && is_float(c.b.dtype(y));
  if (through_exponent)
    x = ops::convert(c.b, x, c.b.dtype(y));
  else
    y = ops::convert(c.b, y, result);
  const Pair pair = operands(c, x, y);
  return {ops::convert(c.b, ops::pow(c.b, pair.x, pair.y), result)};
}

// fmod: the sign of the dividend; else that of the divisor.
Results modulo(Call& c) {
  const Pair pair = operands(c, c.in(0), c.in(1));
  const bool truncated = c.integer("fmod", 0) != 0;
  const Value rest = ops::rem(c.b, pair.x, pair.y);
  if (truncated || !is_signed(c.b.dtype(rest))) return {rest};
  const Value zero = splat(c, rest, 0);
  const Value differ =
      ops::bit_xor(c.b, ops::compare(c.b, rest, zero, "lt"), ops::compare(c.b, pair.y, zero, "lt"));
  const Value adjust = ops::bit_and(c.b, differ, ops::compare(c.b, rest, zero, "ne"));
  return {ops::select(c.b, adjust, ops::add(c.b, rest, pair.y), rest)};
}

Results reciprocal(Call& c) { return {ops::div(c.b, splat(c, c.in(0), 1), c.in(0))}; }
Results tangent(Call& c) { return {ops::div(c.b, ops::sin(c.b, c.in(0)), ops::cos(c.b, c.in(0)))}; }

// (e^x - e^-x) / 2 from expm1, which keeps digits near 0.
Results sinh(Call& c) {
  const Value x = c.in(0);
  const Value difference = ops::sub(c.b, ops::expm1(c.b, x), ops::expm1(c.b, ops::neg(c.b, x)));
  return {ops::mul(c.b, difference, splat(c, x, 0.5))};
}
Results cosh(Call& c) {
  const Value x = c.in(0);
  const Value total = ops::add(c.b, ops::exp(c.b, x), ops::exp(c.b, ops::neg(c.b, x)));
  return {ops::mul(c.b, total, splat(c, x, 0.5))};
}

Results is_nan(Call& c) { return {ops::compare(c.b, c.in(0), c.in(0), "ne")}; }

Results is_infinite(Call& c) {
  const bool negative = c.integer("detect_negative", 1) != 0, positive = c.integer("detect_positive", 1) != 0;
  const double infinity = std::numeric_limits<double>::infinity();
  const Value x = c.in(0);
  const Value above = ops::compare(c.b, x, splat(c, x, infinity), "eq");
  const Value below = ops::compare(c.b, x, splat(c, x, -infinity), "eq");
  if (positive && negative) return {ops::bit_or(c.b, above, below)};
  if (positive) return {above};
  return {negative ? below : ops::zeros(c.b, c.b.type(above))};
}

Results shift(Call& c) {
  const std::string direction = c.word("direction", "");
  const Pair pair = operands(c, c.in(0), c.in(1));
  if (direction == "LEFT") return {ops::shift_left(c.b, pair.x, pair.y)};
  c.expect(direction == "RIGHT", "attribute direction is '", direction, "', expected LEFT or RIGHT");
  return {ops::shift_right_logical(c.b, pair.x, pair.y)};
}

Results where(Call& c) {
  const Value predicate = c.in(0), x = c.in(1), y = c.in(2);
  c.expect(c.b.dtype(predicate) == DType::boolean, "the condition is ", to_string(c.b.dtype(predicate)),
           ", expected bool");
  c.expect(c.b.dtype(x) == c.b.dtype(y), "operands are ", to_string(c.b.dtype(x)), " and ",
           to_string(c.b.dtype(y)));
  const Shape shape = common_shape(c, common_shape(c, c.b.shape(predicate), c.b.shape(x)), c.b.shape(y));
  return {ops::select(c.b, broadcast(c, predicate, shape), broadcast(c, x, shape), broadcast(c, y, shape))};
}

// Values from `over` on round past the largest finite number of an 8-bit float: without saturation they
// become the NaN or infinity of these bits.
struct Overflow {
  DType dtype;
  double over;
  bool inclusive;
  uint8_t above, below;
};
constexpr std::array<Overflow, 4> kOverflows{{{DType::f8e4m3fn, 464, false, 0x7F, 0xFF},
                                              {DType::f8e4m3fnuz, 248, true, 0x80, 0x80},
                                              {DType::f8e5m2, 61440, true, 0x7C, 0xFC},
                                              {DType::f8e5m2fnuz, 61440, true, 0x80, 0x80}}};

Value overflowing(Call& c, Value x, Value converted) {
  const Type type = c.b.type(converted);
  for (const Overflow& overflow : kOverflows) {
    if (overflow.dtype != type.dtype) continue;
    const auto bits = [&](uint8_t byte) {
      return ops::broadcast_to(c.b, c.b.constant(copy_bytes({type.dtype, {}}, &byte)), type.shape);
    };
    const Value above = ops::compare(c.b, x, splat(c, x, overflow.over), overflow.inclusive ? "ge" : "gt");
    const Value below = ops::compare(c.b, x, splat(c, x, -overflow.over), overflow.inclusive ? "le" : "lt");
    return ops::select(c.b, below, bits(overflow.below),
                       ops::select(c.b, above, bits(overflow.above), converted));
  }
  return converted;
}

// Powers of two: the next one above or below instead of the nearest.
Value round_power(Call& c, Value x, Value nearest, const std::string& mode) {
  c.expect(mode == "up" || mode == "down" || mode == "nearest", "attribute round_mode is '", mode, "'");
  if (mode == "nearest") return nearest;
  const Value back = ops::convert(c.b, nearest, DType::f32), wide = ops::convert(c.b, x, DType::f32);
  const Value next =
      ops::convert(c.b, ops::mul(c.b, back, splat(c, back, mode == "up" ? 2 : 0.5)), DType::f8e8m0);
  return ops::select(c.b, ops::compare(c.b, back, wide, mode == "up" ? "lt" : "gt"), next, nearest);
}

Value cast_to(Call& c, Value x, DType to) {
  const bool saturate = c.integer("saturate", 1) != 0, from_float = is_float(c.b.dtype(x));
  const std::string mode = c.word("round_mode", "up");
  if (from_float && is_packed(to) && is_integer(to))
    x = ops::convert(c.b, x, DType::i32);  // keeps the low bits
  const Value result = ops::convert(c.b, x, to);
  if (to == DType::f8e8m0 && from_float) return round_power(c, x, result, mode);
  return saturate || !from_float ? result : overflowing(c, x, result);
}

Results cast(Call& c) {
  const int64_t number = c.required("to");
  const std::optional<DType> to = dtype_of_number(static_cast<int>(number));
  if (!to) c.unsupported("conversion to ", describe_number(static_cast<int>(number)));
  return {cast_to(c, c.in(0), *to)};
}

Results cast_like(Call& c) { return {cast_to(c, c.in(0), c.type(1).dtype)}; }

Results bit_cast(Call& c) {
  const int64_t number = c.required("to");
  const std::optional<DType> to = dtype_of_number(static_cast<int>(number));
  if (!to) c.unsupported("conversion to ", describe_number(static_cast<int>(number)));
  return {ops::bitcast(c.b, c.in(0), *to)};
}

Results identity(Call& c) { return {c.in(0)}; }

constexpr std::array kRows{
    Row{"Add", 7, kNewest, binary<ops::add>},
    Row{"Sub", 7, kNewest, binary<ops::sub>},
    Row{"Mul", 7, kNewest, binary<ops::mul>},
    Row{"Div", 7, kNewest, binary<ops::div>},
    Row{"Pow", 7, kNewest, power},
    Row{"Mod", 10, kNewest, modulo},
    Row{"Max", 7, kNewest, maximum},
    Row{"Min", 7, kNewest, minimum},
    Row{"Sum", 7, kNewest, sum},
    Row{"Mean", 7, kNewest, mean},
    Row{"Abs", 6, kNewest, unary<ops::abs>},
    Row{"Neg", 6, kNewest, unary<ops::neg>},
    Row{"Sign", 9, kNewest, unary<ops::sign>},
    Row{"Exp", 6, kNewest, unary<ops::exp>},
    Row{"Log", 6, kNewest, unary<ops::log>},
    Row{"Sqrt", 6, kNewest, unary<ops::sqrt>},
    Row{"Reciprocal", 6, kNewest, reciprocal},
    Row{"Sin", 7, kNewest, unary<ops::sin>},
    Row{"Cos", 7, kNewest, unary<ops::cos>},
    Row{"Tan", 7, kNewest, tangent},
    Row{"Sinh", 9, kNewest, sinh},
    Row{"Cosh", 9, kNewest, cosh},
    Row{"Erf", 9, kNewest, unary<ops::erf>},
    Row{"Floor", 6, kNewest, unary<ops::floor>},
    Row{"Ceil", 6, kNewest, unary<ops::ceil>},
    Row{"Round", 11, kNewest, unary<ops::round>},
    Row{"IsNaN", 9, kNewest, is_nan},
    Row{"IsInf", 10, kNewest, is_infinite},
    Row{"Equal", 7, kNewest, equal},
    Row{"Less", 7, kNewest, less},
    Row{"LessOrEqual", 12, kNewest, less_or_equal},
    Row{"Greater", 7, kNewest, greater},
    Row{"GreaterOrEqual", 12, kNewest, greater_or_equal},
    Row{"And", 7, kNewest, binary<ops::bit_and>},
    Row{"Or", 7, kNewest, binary<ops::bit_or>},
    Row{"Xor", 7, kNewest, binary<ops::bit_xor>},
    Row{"Not", 1, kNewest, unary<ops::logical_not>},
    Row{"BitwiseAnd", 18, kNewest, binary<ops::bit_and>},
    Row{"BitwiseOr", 18, kNewest, binary<ops::bit_or>},
    Row{"BitwiseXor", 18, kNewest, binary<ops::bit_xor>},
    Row{"BitwiseNot", 18, kNewest, unary<ops::logical_not>},
    Row{"BitShift", 11, kNewest, shift},
    Row{"Where", 9, kNewest, where},
    Row{"Cast", 6, kNewest, cast},
    Row{"CastLike", 15, kNewest, cast_like},
    Row{"BitCast", 26, kNewest, bit_cast},
    Row{"Identity", 1, kNewest, identity},
};

}  // namespace

std::span<const Row> elementwise_rows() { return kRows; }

}  // namespace temper::onnx
