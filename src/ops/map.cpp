// Maps of mixed types: compare, select, convert, bitcast.
#include "ops/map.h"

#include <cmath>

namespace temper {
namespace {

std::vector<Type> infer_compare(const InferContext& c) {
  expect_inputs(c, 2);
  expect_equal_types(c, 0, 1);
  expect_dtype(c, 0, [](DType d) { return is_arithmetic_float(d) || is_bits(d); }, "numbers or booleans");
  word_attribute(c, "direction", {"eq", "ne", "lt", "le", "gt", "ge"});
  return {{DType::boolean, c.inputs[0].shape}};
}

// lower, equal: how x stands to y; neither if one is NaN.
bool holds(std::string_view direction, bool lower, bool equal, bool higher) {
  if (direction == "eq") return equal;
  if (direction == "ne") return !equal;
  if (direction == "lt") return lower;
  if (direction == "le") return lower || equal;
  if (direction == "gt") return higher;
  return higher || equal;
}

std::vector<Array> evaluate_compare(const EvaluateContext& c) {
  const Array &x = *c.inputs[0], &y = *c.inputs[1];
  const auto& direction = c.node.attributes.get<std::string>("direction");
  const DType dtype = x.type.dtype;
  Array z = make_array(c.outputs[0]);
  for (size_t i = 0; i < z.ints.size(); ++i) {
    if (is_float(dtype)) {
      z.ints[i] =
          holds(direction, x.reals[i] < y.reals[i], x.reals[i] == y.reals[i], x.reals[i] > y.reals[i]);
    } else {
      z.ints[i] = holds(direction, less(dtype, x.ints[i], y.ints[i]), x.ints[i] == y.ints[i],
                        less(dtype, y.ints[i], x.ints[i]));
    }
  }
  return {std::move(z)};
}

std::vector<Sample> compare_samples() {
  std::vector<Sample> samples;
  for (const char* direction : {"eq", "ne", "lt", "le", "gt", "ge"}) {
    for (DType dtype : {DType::f32, DType::f64, DType::f16, DType::i8, DType::u8, DType::i32, DType::i64,
                        DType::u64, DType::boolean}) {
      samples.push_back({.name = concat(direction, " ", to_string(dtype)),
                         .inputs = {{dtype, {3, 7}}, {dtype, {3, 7}}},
                         .attributes = {{"direction", word(direction)}},
                         .fills = {integers(-2, 2)}});
    }
    samples.push_back({.name = concat(direction, " nan"),
                       .inputs = {f32({5}), f32({5})},
                       .attributes = {{"direction", word(direction)}},
                       .fills = {all(NAN), {}}});
  }
  return samples;
}

std::vector<Type> infer_select(const InferContext& c) {
  expect_inputs(c, 3);
  expect_dtype(c, 0, [](DType d) { return d == DType::boolean; }, "boolean");
  expect_equal_types(c, 1, 2);
  if (c.inputs[0].shape != c.inputs[1].shape)
    c.fail(
        concat("the predicate ", to_string(c.inputs[0]), " must have the shape of ", to_string(c.inputs[1])));
  return {c.inputs[1]};
}

std::vector<Array> evaluate_select(const EvaluateContext& c) {
  Array y = make_array(c.outputs[0]);
  for (int64_t i = 0; i < count(y); ++i)
    copy_element(c.inputs[0]->ints[static_cast<size_t>(i)] ? *c.inputs[1] : *c.inputs[2], i, y, i);
  return {std::move(y)};
}

std::vector<Value> vjp_select(Builder& b, const VjpContext& c) {
  const Value dy = c.cotangents[0], zero = ops::zeros(b, b.type(dy));
  return {Value{}, ops::needed(c, 1) ? ops::select(b, c.inputs[0], dy, zero) : Value{},
          ops::needed(c, 2) ? ops::select(b, c.inputs[0], zero, dy) : Value{}};
}

std::vector<Sample> select_samples() {
  std::vector<Sample> samples;
  for (const Type& type : {f32({3, 5}), f32({}), f32({0, 4}), f32({2, 1, 3, 2, 2}), f64({4}), f16({9}),
                           bf16({9}), i8({9}), i64({9}), boolean({9})})
    samples.push_back({.name = to_string(type),
                       .inputs = {boolean(type.shape), type, type},
                       .fills = {Fill{}, integers(-9, 9), integers(-9, 9)}});
  samples[0].fills = {};
  return samples;
}

std::vector<Type> infer_convert(const InferContext& c) {
  expect_inputs(c, 1);
  return {{c.attributes.get<DType>("dtype"), c.inputs[0].shape}};
}

std::vector<Array> evaluate_convert(const EvaluateContext& c) {
  const Array& x = *c.inputs[0];
  const DType from = x.type.dtype, to = c.outputs[0].dtype;
  Array y = make_array(c.outputs[0]);
  for (size_t i = 0; i < static_cast<size_t>(count(y)); ++i) {
    if (!is_float(to)) {
      y.ints[i] = is_float(from) ? real_to_integer(to, x.reals[i]) : wrap(to, x.ints[i]);
    } else {  // rounds: to lose digits is what a conversion is for
      y.reals[i] = round_to(to, is_float(from) ? x.reals[i] : integer_to_real(from, x.ints[i]));
    }
  }
  return {std::move(y)};
}

std::vector<Value> vjp_convert(Builder& b, const VjpContext& c) {
  return {ops::convert(b, c.cotangents[0], b.dtype(c.inputs[0]))};
}

std::vector<Sample> convert_samples() {
  const std::vector<DType> dtypes{DType::f32, DType::f64, DType::f16,    DType::bf16, DType::i8,
                                  DType::u8,  DType::i16, DType::u16,    DType::i32,  DType::u32,
                                  DType::i64, DType::u64, DType::boolean};
  std::vector<Sample> samples;
  for (DType from : dtypes) {
    for (DType to : dtypes)
      samples.push_back({.name = concat(to_string(from), " to ", to_string(to)),
                         .inputs = {{from, {3, 11}}},
                         .attributes = {{"dtype", to}},
                         .fills = {uniform(-150, 150)}});
  }
  samples.push_back({.name = "saturates",
                     .inputs = {f32({64})},
                     .attributes = {{"dtype", DType::i8}},
                     .fills = {uniform(-1e9, 1e9)}});
  samples.push_back(
      {.name = "nan to 0", .inputs = {f32({4})}, .attributes = {{"dtype", DType::i32}}, .fills = {all(NAN)}});
  samples.push_back({.name = "empty", .inputs = {f32({0, 3})}, .attributes = {{"dtype", DType::i32}}});
  return samples;
}

std::vector<Type> infer_bitcast(const InferContext& c) {
  expect_inputs(c, 1);
  const auto to = c.attributes.get<DType>("dtype");
  if (bit_width(to) != bit_width(c.inputs[0].dtype) || to == DType::boolean)
    c.fail(concat("expected a dtype as wide as ", to_string(c.inputs[0].dtype), ", found ", to_string(to)));
  return {{to, c.inputs[0].shape}};
}

std::vector<Array> evaluate_bitcast(const EvaluateContext& c) {
  return {to_array(Tensor(c.outputs[0], to_tensor(*c.inputs[0]).storage()))};
}

std::vector<Sample> bitcast_samples() {
  std::vector<Sample> samples;
  for (const auto& [from, to] : {std::pair(DType::f32, DType::u32),
                                 {DType::u32, DType::f32},
                                 {DType::i32, DType::f32},
                                 {DType::f64, DType::i64},
                                 {DType::f16, DType::u16},
                                 {DType::bf16, DType::i16},
                                 {DType::i8, DType::u8},
                                 {DType::u64, DType::i64}})
    samples.push_back({.name = concat(to_string(from), " to ", to_string(to)),
                       .inputs = {{from, {3, 7}}},
                       .attributes = {{"dtype", to}},
                       .fills = {is_float(from) ? Fill{} : integers(1 << 8, 1 << 30)}});
  return samples;
}

}  // namespace

const Op compare_op{.name = "compare",
                    .summary = "z = x `direction` y; with NaN only ne holds",
                    .infer = infer_compare,
                    .evaluate = evaluate_compare,
                    .no_gradient = "its result is boolean",
                    .samples = compare_samples};

const Op select_op{.name = "select",
                   .summary = "y = on_true where predicate holds, else on_false",
                   .infer = infer_select,
                   .evaluate = evaluate_select,
                   .vjp = vjp_select,
                   .samples = select_samples};

const Op convert_op{
    .name = "convert",
    .summary =
        "y = x in `dtype`: floats round to nearest even; float to integer truncates and saturates, "
        "NaN gives 0; integers wrap; to boolean is x != 0",
    .infer = infer_convert,
    .evaluate = evaluate_convert,
    .vjp = vjp_convert,
    .samples = convert_samples};

const Op bitcast_op{.name = "bitcast",
                    .summary = "y = the bits of x read as `dtype`",
                    .infer = infer_bitcast,
                    .evaluate = evaluate_bitcast,
                    .no_gradient = "it reads bits, not numbers",
                    .samples = bitcast_samples};

namespace ops {

Value convert(Builder& b, Value x, DType dtype) {
  return b.dtype(x) == dtype ? x : b.emit(convert_op, {x}, {{"dtype", dtype}});
}

Value bitcast(Builder& b, Value x, DType dtype) {
  return b.dtype(x) == dtype ? x : b.emit(bitcast_op, {x}, {{"dtype", dtype}});
}

}  // namespace ops
}  // namespace temper
