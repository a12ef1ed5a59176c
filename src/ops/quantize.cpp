// Integers for real numbers: what a scale and a zero point make of them, and back.
#include "ops/composites.h"
#include "ops/map.h"

namespace temper::ops {

Value quantize(Builder& b, Value x, Value scale, Value zero, const Quantization& attributes) {
  return b.emit(quantize_op, {x, scale, zero},
                {{"dtype", attributes.dtype},
                 {"axis", integer(attributes.axis)},
                 {"rounding", word(attributes.rounding)}});
}

Value dequantize(Builder& b, Value x, Value scale, Value zero, int64_t axis) {
  return b.emit(dequantize_op, {x, scale, zero}, {{"axis", integer(axis)}});
}

// Integers, and floats of 8 bits or fewer.
static bool is_quantised(DType dtype) {
  return dtype != DType::boolean && (!is_float(dtype) || bit_width(dtype) <= 8);
}

// One number, a vector along the axis, or a number for each element.
static void require_parameters(const InferContext& context, const Shape& x, DType integers) {
  const Type& scale = require_float(context, 1, "scale");
  const int64_t axis = context.attributes.get<int64_t>("axis");
  if (scale.shape.rank() == 1 && x.rank() != 1) {
    const int at = require_axis(context, axis, x.rank());
    if (scale.shape[0] != x[at])
      fail(context, "scale ", to_string(scale), " does not fit axis ", axis, " of ", to_string(x));
  } else if (scale.shape.rank() != 0 && scale.shape != x) {
    fail(context, "scale ", to_string(scale), " does not fit ", to_string(x));
  }
  if (has(context, 2)) require_type(context, 2, "zero", {integers, scale.shape});
}

static std::vector<Type> infer_quantize(const InferContext& context) {
  require_inputs(context, 2, 3);
  const Type& x = require_float(context, 0, "x");
  const DType dtype = context.attributes.get<DType>("dtype");
  if (!is_quantised(dtype)) fail(context, "the result cannot be ", to_string(dtype));
  word_attribute(context, "rounding", {"half_even", "half_up"});
  require_parameters(context, x.shape, dtype);
  return {{dtype, x.shape}};
}

static std::vector<Type> infer_dequantize(const InferContext& context) {
  require_inputs(context, 2, 3);
  const Type& x = require(context, 0, "x");
  if (!is_quantised(x.dtype)) fail(context, "x cannot be ", to_string(x));
  require_parameters(context, x.shape, x.dtype);
  return {{context.inputs[1].dtype, x.shape}};
}

// A scale or zero point at each element.
static Value spread(Builder& b, Value parameter, const Shape& shape, int64_t axis) {
  if (b.shape(parameter) == shape) return parameter;
  return broadcast_in_dim(b, parameter, shape, b.shape(parameter).rank() == 1 ? Ints{axis} : Ints{});
}

static std::vector<Value> decompose_quantize(Builder& b, const NodeView& view) {
  const Attributes& attributes = view.attributes();
  const DType dtype = attributes.get<DType>("dtype");
  const Value x = widen(b, view.inputs[0]), zero = input(view.inputs, 2);
  const Shape shape = b.shape(x);
  const int64_t axis = attributes.get<int64_t>("axis");
  const Value scale = spread(b, convert(b, view.inputs[1], b.dtype(x)), shape, axis);
  Value y = div(b, x, scale);
  if (is_float(dtype)) return {convert(b, y, dtype)};
  const bool even = attributes.get<std::string>("rounding") == "half_even";
  y = even ? round(b, y) : floor(b, add(b, y, 0.5));
  if (zero) y = add(b, y, spread(b, convert(b, zero, b.dtype(x)), shape, axis));
  return {convert(b, y, dtype)};
}

static std::vector<Value> decompose_dequantize(Builder& b, const NodeView& view) {
  const Value zero = input(view.inputs, 2);
  const DType result = b.dtype(view.inputs[1]), wide = compute_dtype(result);
  const Shape shape = b.shape(view.inputs[0]);
  const int64_t axis = view.attributes().get<int64_t>("axis");
  Value x = convert(b, view.inputs[0], wide);
  if (zero) x = sub(b, x, spread(b, convert(b, zero, wide), shape, axis));
  return {convert(b, mul(b, x, spread(b, convert(b, view.inputs[1], wide), shape, axis)), result)};
}

static std::vector<Sample> samples_quantize() {
  std::vector<Sample> samples;
  const auto add = [&](std::string name, DType from, const Shape& x, const Shape& scale, DType to, bool zero,
                       int64_t axis = 0, std::string_view rounding = "half_even") {
    std::vector<Type> inputs{{from, x}, {from, scale}};
    if (zero) inputs.push_back({to, scale});
    samples.push_back({std::move(name),
                       inputs,
                       {{"dtype", to}, {"axis", integer(axis)}, {"rounding", word(rounding)}},
                       // Of quarters, so that every definition rounds the same halves.
                       {{.kind = Fill::integers, .low = -90, .high = 90},
                        all(0.25),
                        integers(to == DType::u8 ? 90 : -9, 99)}});
  };
  add("u8", DType::f32, {3, 41}, {}, DType::u8, true);
  add("i8", DType::f32, {3, 41}, {}, DType::i8, true);
  add("i32, no zero point", DType::f32, {5, 7}, {}, DType::i32, false);
  add("u8 by channel", DType::f32, {2, 3, 4, 5}, {3}, DType::u8, true, 1);
  add("i8 by row, no zero point", DType::f32, {4, 9}, {4}, DType::i8, false);
  add("u8 by element", DType::f32, {4, 9}, {4, 9}, DType::u8, true);
  add("i16 of f16", DType::f16, {4, 9}, {}, DType::i16, true);
  add("i8 of bf16", DType::bf16, {4, 9}, {}, DType::i8, true);
  for (std::string_view rounding : {"half_even", "half_up"}) {
    add(temper::concat("halves, ", rounding), DType::f32, {64}, {}, DType::u8, true, 0, rounding);
    samples.back().fills[1] = all(2);
  }
  return samples;
}

static std::vector<Sample> samples_dequantize() {
  std::vector<Sample> samples;
  const auto add = [&](std::string name, DType from, const Shape& x, const Shape& scale, DType to, bool zero,
                       int64_t axis = 0) {
    std::vector<Type> inputs{{from, x}, {to, scale}};
    if (zero) inputs.push_back({from, scale});
    samples.push_back({std::move(name),
                       inputs,
                       {{"axis", integer(axis)}},
                       {integers(from == DType::u8 ? 0 : -99, 100), uniform(0.01, 0.1), integers(3, 90)}});
  };
  add("u8", DType::u8, {3, 41}, {}, DType::f32, true);
  add("i8", DType::i8, {3, 41}, {}, DType::f32, true);
  add("i32, no zero point", DType::i32, {5, 7}, {}, DType::f32, false);
  add("i8 by channel", DType::i8, {2, 3, 4, 5}, {3}, DType::f32, true, 1);
  add("u8 by row, no zero point", DType::u8, {4, 9}, {4}, DType::f32, false);
  add("u8 by element", DType::u8, {4, 9}, {4, 9}, DType::f32, true);
  add("u16 to f16", DType::u16, {4, 9}, {}, DType::f16, true);
  add("i8 to bf16", DType::i8, {4, 9}, {}, DType::bf16, true);
  return samples;
}

}  // namespace temper::ops

namespace temper {

const Op quantize_op{.name = "quantize",
                     .primitive = false,
                     .summary = "y = round(x / scale) + zero, saturating; rounding: half_even or half_up",
                     .infer = ops::infer_quantize,
                     .decompose = ops::decompose_quantize,
                     .no_gradient = "it is a step function",
                     .samples = ops::samples_quantize};

const Op dequantize_op{.name = "dequantize",
                       .primitive = false,
                       .summary = "y = (x - zero) scale, for integers x",
                       .infer = ops::infer_dequantize,
                       .decompose = ops::decompose_dequantize,
                       .no_gradient = "its operand is integers",
                       .samples = ops::samples_dequantize};

}  // namespace temper
