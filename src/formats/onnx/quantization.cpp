// Integers for real numbers, and arithmetic on them.
#include <algorithm>
#include <array>
#include <numeric>

#include "formats/onnx/call.h"

namespace temper::onnx {

namespace {

// A scale or zero point. A vector of one number counts as that number.
Value parameter(Call& c, size_t i) {
  const Value value = c.fixed(i);
  return c.b.shape(value) == Shape{1} ? ops::reshape(c.b, value, {}) : value;
}
Value zero_point(Call& c, size_t i) { return c.has(i) ? parameter(c, i) : Value(); }

// A number for each block of elements along the axis, as a number for each element.
Value unblocked(Call& c, Value parameter, const Shape& shape, int64_t axis, int64_t block) {
  const Shape from = c.b.shape(parameter);
  std::vector<Dim> split = from.dims(), joined = from.dims();
  const auto at = static_cast<size_t>(axis);
  const std::optional<Dim> size = multiply(split[at], block);
  if (!size) c.unsupported("blocks of ", block, " along an axis of ", to_string(split[at]));
  split.insert(split.begin() + axis + 1, Dim(1));
  joined[at] = *size;
  std::vector<Dim> repeated = split;
  repeated[at + 1] = block;
  Value result = reshape_to(c, broadcast(c, reshape_to(c, parameter, split), Shape(repeated)), joined);
  if (*size != shape[static_cast<int>(axis)] && size->is_static() && shape.is_static() &&
      size->size() > shape.size(static_cast<int>(axis)))
    result = ops::slice(c.b, result, Ints(joined.size(), 0), shape.sizes(), Ints(joined.size(), 1));
  return result;
}

struct Parameters {
  Value scale, zero;
  int64_t axis = 0;
};

Parameters parameters_of(Call& c, size_t scale, size_t zero, const Shape& x) {
  Parameters result{parameter(c, scale), zero_point(c, zero)};
  const int64_t axis = c.integer("axis", 1), block = c.integer("block_size", 0);
  const int rank = c.b.shape(result.scale).rank();
  if (rank > 0) result.axis = c.axis(axis, x.rank());
  if (block == 0) return result;
  c.expect(block > 0 && block < (int64_t{1} << 31) && rank == x.rank(), "blocks of ", block,
           " in a scale of rank ", rank);
  result.scale = unblocked(c, result.scale, x, result.axis, block);
  if (result.zero) result.zero = unblocked(c, result.zero, x, result.axis, block);
  return result;
}

DType result_type(Call& c, DType otherwise) {
  const int64_t number = c.integer("output_dtype", 0);
  if (number == 0) return otherwise;
  const std::optional<DType> dtype = dtype_of_number(static_cast<int>(number));
  if (!dtype) c.unsupported("conversion to ", describe_number(static_cast<int>(number)));
  return *dtype;
}

Results quantize_linear(Call& c) {
  const Value given = c.in(0);
  const Parameters p = parameters_of(c, 1, 2, c.b.shape(given));
  const Value x = ops::convert(c.b, given, c.b.dtype(p.scale));
  const DType dtype = result_type(c, p.zero ? c.b.dtype(p.zero) : DType::u8);
  c.ignore({"precision"});
  if (!is_float(dtype) || c.integer("saturate", 1) != 0)
    c.ignore({"saturate"});
  else
    c.unsupported("quantisation to ", to_string(dtype), " that does not saturate");
  const Value zero = is_float(dtype) ? Value() : p.zero;  // of floats it is 0
  return {ops::quantize(c.b, x, p.scale, zero, {.dtype = dtype, .axis = p.axis})};
}

Results dequantize_linear(Call& c) {
  const Value x = c.fixed(0);
  const Parameters p = parameters_of(c, 1, 2, c.b.shape(x));
  const DType dtype = result_type(c, c.b.dtype(p.scale));
  return {ops::convert(c.b, ops::dequantize(c.b, x, p.scale, p.zero, p.axis), dtype)};
}

// To u8, by the least and the greatest element and 0.
Results dynamic_quantize_linear(Call& c) {
  const Value x = c.in(0);
  c.expect(c.b.dtype(x) == DType::f32, "the input is ", to_string(c.b.dtype(x)), ", expected f32");
  Ints axes(static_cast<size_t>(c.b.shape(x).rank()));
  std::iota(axes.begin(), axes.end(), 0);
  const Value low = ops::min(c.b, ops::reduce(c.b, x, axes, "min"), 0),
              high = ops::max(c.b, ops::reduce(c.b, x, axes, "max"), 0);
  const Value scale = ops::div(c.b, ops::sub(c.b, high, low), 255);
  const Value zero = ops::convert(c.b, ops::round(c.b, ops::div(c.b, ops::neg(c.b, low), scale)), DType::u8);
  return {ops::quantize(c.b, x, scale, zero, {.dtype = DType::u8}), scale, zero};
}

// Integers as i32, less their zero point, which has a number for all or for each place on `axis`.
Value centred(Call& c, size_t x, size_t zero, int axis) {
  const Value value = ops::convert(c.b, c.in(x), DType::i32);
  if (!c.has(zero)) return value;
  Value offset = ops::convert(c.b, c.in(zero), DType::i32);
  const int rank = c.b.shape(value).rank();
  if (c.b.shape(offset).rank() == 1 && c.b.shape(offset) != Shape{1} && axis < rank) {
    std::vector<Dim> dims(static_cast<size_t>(rank), Dim(1));
    dims[static_cast<size_t>(axis)] = c.b.shape(offset)[0];
    offset = reshape_to(c, offset, dims);
  } else if (c.b.shape(offset) == Shape{1}) {
    offset = ops::reshape(c.b, offset, {});
  }
  return ops::sub(c.b, value, broadcast(c, offset, c.b.shape(value)));
}

Results conv_integer(Call& c) { return {convolve(c, centred(c, 0, 2, 0), centred(c, 1, 3, 0), {})}; }

Results matmul_integer(Call& c) {
  return {multiply_matrices(c, centred(c, 0, 2, std::max(0, c.rank(0, 1) - 2)),
                            centred(c, 1, 3, c.rank(1, 1) - 1))};
}

// Operands x, scale, zero point from `first` on.
Value real_operand(Call& c, size_t first, int64_t axis) {
  return ops::dequantize(c.b, c.fixed(first), parameter(c, first + 1), parameter(c, first + 2), axis);
}

Value quantised(Call& c, Value y, size_t scale) {
  const Value zero = parameter(c, scale + 1);
  return ops::quantize(c.b, y, parameter(c, scale), zero, {.dtype = c.b.dtype(zero)});
}

Results qlinear_conv(Call& c) {
  const Value x = real_operand(c, 0, 0), w = real_operand(c, 3, 0);
  Value bias;
  if (c.has(8)) {
    const Value scale = parameter(c, 1), scales = parameter(c, 4);
    c.expect(c.b.shape(scale).rank() == 0 && c.b.dtype(scale) == c.b.dtype(scales), "the input's scale is ",
             to_string(c.b.type(scale)), ", the weight's ", to_string(c.b.type(scales)));
    const Value spread = ops::broadcast_in_dim(c.b, scale, c.b.shape(scales), {});
    bias = ops::dequantize(c.b, c.fixed(8), ops::mul(c.b, spread, scales), {}, 0);
  }
  return {quantised(c, convolve(c, x, w, bias), 6)};
}

Results qlinear_matmul(Call& c) {
  const Value x = real_operand(c, 0, std::max(0, c.rank(0, 1) - 2)), y = real_operand(c, 3, c.rank(3, 1) - 1);
  return {quantised(c, multiply_matrices(c, x, y), 6)};
}

constexpr std::array kRows{
    Row{"QuantizeLinear", 10, kNewest, quantize_linear},
    Row{"DequantizeLinear", 10, kNewest, dequantize_linear},
    Row{"DynamicQuantizeLinear", 11, kNewest, dynamic_quantize_linear},
    Row{"ConvInteger", 10, kNewest, conv_integer},
    Row{"MatMulInteger", 10, kNewest, matmul_integer},
    Row{"QLinearConv", 10, kNewest, qlinear_conv},
    Row{"QLinearMatMul", 10, kNewest, qlinear_matmul},
};

}  // namespace

std::span<const Row> quantization_rows() { return kRows; }

}  // namespace temper::onnx
