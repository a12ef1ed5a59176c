// Maps of two operands of one type.
#include <cmath>

#include "ops/map.h"

namespace temper {
namespace {

void expect_pair(const InferContext& c) {
  expect_inputs(c, 2);
  expect_equal_types(c, 0, 1);
}

std::vector<Type> infer_numbers(const InferContext& c) {
  expect_pair(c);
  expect_dtype(c, 0, is_arithmetic, "numbers");
  return {c.inputs[0]};
}

std::vector<Type> infer_bits(const InferContext& c) {
  expect_pair(c);
  expect_dtype(c, 0, is_bits, "booleans or integers");
  return {c.inputs[0]};
}

std::vector<Type> infer_integers(const InferContext& c) {
  expect_pair(c);
  expect_dtype(c, 0, is_arithmetic_integer, "integers");
  return {c.inputs[0]};
}

template <auto f>
void map_reals(const Array& x, Array& y) {
  for (size_t i = 0; i < y.reals.size(); ++i) y.reals[i] = f(x.reals[i], y.reals[i]);
}

template <auto g>
void map_integers(const Array& x, Array& y) {
  const DType dtype = y.type.dtype;
  for (size_t i = 0; i < y.ints.size(); ++i) y.ints[i] = wrap(dtype, g(dtype, x.ints[i], y.ints[i]));
}

// f for floats; g for integers, its result is wrapped
template <auto f, auto g>
std::vector<Array> on_numbers(const EvaluateContext& c) {
  Array y = *c.inputs[1];
  map_reals<f>(*c.inputs[0], y);
  map_integers<g>(*c.inputs[0], y);
  return {std::move(y)};
}

template <auto g>
std::vector<Array> on_integers(const EvaluateContext& c) {
  Array y = *c.inputs[1];
  map_integers<g>(*c.inputs[0], y);
  return {std::move(y)};
}

uint64_t bits(int64_t x) { return static_cast<uint64_t>(x); }

int64_t divide(DType d, int64_t x, int64_t y) {
  if (y == 0) return 0;
  if (d == DType::u64) return static_cast<int64_t>(bits(x) / bits(y));
  return y == -1 ? static_cast<int64_t>(-bits(x)) : x / y;
}

int64_t remainder(DType d, int64_t x, int64_t y) {
  if (y == 0 || y == -1) return d == DType::u64 && y != 0 ? static_cast<int64_t>(bits(x) % bits(y)) : 0;
  return d == DType::u64 ? static_cast<int64_t>(bits(x) % bits(y)) : x % y;
}

// A negative exponent truncates 1 / x^|y|, which is 0 but for x = 1 and -1; x = 0 gives 0.
int64_t power(DType d, int64_t x, int64_t y) {
  if (less(d, y, 0)) return x == 1 ? 1 : x == -1 ? ((y & 1) ? -1 : 1) : 0;
  uint64_t result = 1, base = bits(x);
  for (uint64_t left = bits(y); left; left >>= 1, base *= base) {
    if (left & 1) result *= base;
  }
  return static_cast<int64_t>(result);
}

bool shifts_all(DType d, int64_t by) { return bits(by) >= static_cast<uint64_t>(bit_width(d)); }

int64_t left_shift(DType d, int64_t x, int64_t by) {
  return shifts_all(d, by) ? 0 : static_cast<int64_t>(bits(x) << by);
}

int64_t logical_right_shift(DType d, int64_t x, int64_t by) {
  const uint64_t mask = ~uint64_t{0} >> (64 - bit_width(d));
  return shifts_all(d, by) ? 0 : static_cast<int64_t>((bits(x) & mask) >> by);
}

// Of the bits as a signed number, whatever the dtype.
int64_t arithmetic_right_shift(DType d, int64_t x, int64_t by) {
  const int unused = 64 - bit_width(d);
  const int64_t value = static_cast<int64_t>(bits(x) << unused) >> unused;
  return value >> (shifts_all(d, by) ? 63 : by);
}

double largest(double x, double y) { return std::isnan(x) || x > y ? x : y; }
double smallest(double x, double y) { return std::isnan(x) || x < y ? x : y; }

using Values = std::vector<Value>;

Values vjp_add(Builder&, const VjpContext& c) { return {c.cotangents[0], c.cotangents[0]}; }

Values vjp_sub(Builder& b, const VjpContext& c) {
  return {c.cotangents[0], ops::needed(c, 1) ? ops::neg(b, c.cotangents[0]) : Value{}};
}

Values vjp_mul(Builder& b, const VjpContext& c) {
  const Value dz = c.cotangents[0];
  return {ops::needed(c, 0) ? ops::mul(b, dz, c.inputs[1]) : Value{},
          ops::needed(c, 1) ? ops::mul(b, dz, c.inputs[0]) : Value{}};
}

Values vjp_div(Builder& b, const VjpContext& c) {
  const Value dx = ops::div(b, c.cotangents[0], c.inputs[1]);
  return {dx, ops::needed(c, 1) ? ops::neg(b, ops::mul(b, dx, c.outputs[0])) : Value{}};
}

// z = x - trunc(x / y) y, and trunc(x / y) = (x - z) / y but for rounding.
Values vjp_rem(Builder& b, const VjpContext& c) {
  const Value dz = c.cotangents[0];
  if (!ops::needed(c, 1)) return {dz, {}};
  const Value times = ops::round(b, ops::div(b, ops::sub(b, c.inputs[0], c.outputs[0]), c.inputs[1]));
  return {dz, ops::neg(b, ops::mul(b, dz, times))};
}

// y = 0 makes a constant of x^y; x <= 0 admits no derivative by y, which is then taken as 0.
Values vjp_pow(Builder& b, const VjpContext& c) {
  const Value dz = c.cotangents[0], x = c.inputs[0], y = c.inputs[1];
  const Value zero = ops::zeros(b, b.type(x));
  Values result(2);
  if (ops::needed(c, 0)) {
    const Value slope = ops::mul(b, y, ops::pow(b, x, ops::sub(b, y, 1)));
    result[0] = ops::mul(b, dz, ops::select(b, ops::compare(b, y, zero, "eq"), zero, slope));
  }
  if (ops::needed(c, 1)) {
    const Value positive = ops::compare(b, x, zero, "gt");
    const Value logarithm = ops::log(b, ops::select(b, positive, x, ops::full(b, b.type(x), 1)));
    result[1] = ops::mul(b, dz, ops::select(b, positive, ops::mul(b, c.outputs[0], logarithm), zero));
  }
  return result;
}

// A tie goes to y: with y = 0 this is the usual derivative of relu.
Values vjp_extreme(Builder& b, const VjpContext& c, std::string_view direction) {
  const Value dz = c.cotangents[0], zero = ops::zeros(b, b.type(dz));
  const Value first = ops::compare(b, c.inputs[0], c.inputs[1], direction);
  return {ops::needed(c, 0) ? ops::select(b, first, dz, zero) : Value{},
          ops::needed(c, 1) ? ops::select(b, first, zero, dz) : Value{}};
}

Values vjp_max(Builder& b, const VjpContext& c) { return vjp_extreme(b, c, "gt"); }
Values vjp_min(Builder& b, const VjpContext& c) { return vjp_extreme(b, c, "lt"); }

constexpr std::initializer_list<DType> kAllIntegers{DType::i8,  DType::u8,  DType::i16, DType::u16,
                                                    DType::i32, DType::u32, DType::i64, DType::u64};
constexpr std::string_view kNoFloats = "it is defined for booleans and integers only";

std::vector<Sample> float_samples() { return map_samples(2, {Fill{}, Fill{Fill::normal, 0}}); }
std::vector<Sample> number_samples() {
  return float_samples() + integer_samples(2, {integers(-120, 120)}, kAllIntegers);
}
std::vector<Sample> extreme_samples() {
  return number_samples() +
         std::vector<Sample>{
             {.name = "ties", .inputs = {f32({64}), f32({64})}, .fills = {integers(-2, 2)}, .smooth = false},
             {.name = "nan", .inputs = {f32({5}), f32({5})}, .fills = {all(NAN), {}}, .smooth = false},
             {.name = "nan second",
              .inputs = {f32({5}), f32({5})},
              .fills = {{}, all(NAN)},
              .smooth = false}};
}
std::vector<Sample> quotient_samples() {
  return map_samples(2, {uniform(-4, 4), uniform(0.5, 1.75)}) +
         integer_samples(2, {integers(-120, 120), integers(-3, 4)}, kAllIntegers);
}
std::vector<Sample> power_samples() {
  return map_samples(2, {uniform(0.25, 2), uniform(-2, 2)}) +
         integer_samples(2, {integers(-4, 5), integers(-2, 6)}, kAllIntegers) +
         std::vector<Sample>{{.name = "squares of negatives",
                              .inputs = {f32({9}), f32({9})},
                              .fills = {Fill{}, all(2)},
                              .smooth = false},
                             {.name = "to the 0",
                              .inputs = {f32({9}), f32({9})},
                              .fills = {all(0), all(0)},
                              .smooth = false}};
}
std::vector<Sample> bit_samples() {
  return integer_samples(2, {integers(-120, 120)}, kAllIntegers) + integer_samples(2, {}, {DType::boolean});
}
std::vector<Sample> shift_samples() {
  return integer_samples(2, {integers(-120, 120), integers(-1, 70)}, kAllIntegers) +
         std::vector<Sample>{{.name = "small",
                              .inputs = {i32({17}), i32({17})},
                              .fills = {integers(-1000, 1000), integers(0, 8)}}};
}

}  // namespace

const Op add_op{
    .name = "add",
    .summary = "z = x + y",
    .infer = infer_numbers,
    .evaluate =
        on_numbers<[](double x, double y) { return x + y; },
                   [](DType, int64_t x, int64_t y) { return static_cast<int64_t>(bits(x) + bits(y)); }>,
    .vjp = vjp_add,
    .samples = number_samples};

const Op sub_op{
    .name = "sub",
    .summary = "z = x - y",
    .infer = infer_numbers,
    .evaluate =
        on_numbers<[](double x, double y) { return x - y; },
                   [](DType, int64_t x, int64_t y) { return static_cast<int64_t>(bits(x) - bits(y)); }>,
    .vjp = vjp_sub,
    .samples = number_samples};

const Op mul_op{
    .name = "mul",
    .summary = "z = x * y",
    .infer = infer_numbers,
    .evaluate =
        on_numbers<[](double x, double y) { return x * y; },
                   [](DType, int64_t x, int64_t y) { return static_cast<int64_t>(bits(x) * bits(y)); }>,
    .vjp = vjp_mul,
    .samples = number_samples};

const Op div_op{.name = "div",
                .summary = "z = x / y; integers truncate, and y = 0 gives 0",
                .infer = infer_numbers,
                .evaluate = on_numbers<[](double x, double y) { return x / y; }, divide>,
                .vjp = vjp_div,
                .samples = quotient_samples};

const Op rem_op{.name = "rem",
                .summary = "z = x - trunc(x / y) y, with the sign of x; for integers y = 0 gives 0",
                .infer = infer_numbers,
                .evaluate = on_numbers<[](double x, double y) { return std::fmod(x, y); }, remainder>,
                .vjp = vjp_rem,
                .samples = quotient_samples};

const Op pow_op{.name = "pow",
                .summary = "z = x^y; integers wrap, and a negative y truncates",
                .infer = infer_numbers,
                .evaluate = on_numbers<[](double x, double y) { return std::pow(x, y); }, power>,
                .vjp = vjp_pow,
                .samples = power_samples};

const Op max_op{
    .name = "max",
    .summary = "z = the larger of x and y, NaN if either is; of equals, y has the gradient",
    .infer = infer_numbers,
    .evaluate = on_numbers<largest, [](DType d, int64_t x, int64_t y) { return less(d, x, y) ? y : x; }>,
    .vjp = vjp_max,
    .samples = extreme_samples};

const Op min_op{
    .name = "min",
    .summary = "z = the smaller of x and y, NaN if either is; of equals, y has the gradient",
    .infer = infer_numbers,
    .evaluate = on_numbers<smallest, [](DType d, int64_t x, int64_t y) { return less(d, y, x) ? y : x; }>,
    .vjp = vjp_min,
    .samples = extreme_samples};

const Op bit_and_op{.name = "bit_and",
                    .summary = "z = x and y, bit by bit",
                    .infer = infer_bits,
                    .evaluate = on_integers<[](DType, int64_t x, int64_t y) { return x & y; }>,
                    .no_gradient = kNoFloats,
                    .samples = bit_samples};

const Op bit_or_op{.name = "bit_or",
                   .summary = "z = x or y, bit by bit",
                   .infer = infer_bits,
                   .evaluate = on_integers<[](DType, int64_t x, int64_t y) { return x | y; }>,
                   .no_gradient = kNoFloats,
                   .samples = bit_samples};

const Op bit_xor_op{.name = "bit_xor",
                    .summary = "z = either x or y, bit by bit",
                    .infer = infer_bits,
                    .evaluate = on_integers<[](DType, int64_t x, int64_t y) { return x ^ y; }>,
                    .no_gradient = kNoFloats,
                    .samples = bit_samples};

const Op shift_left_op{.name = "shift_left",
                       .summary = "z = x * 2^y, 0 if y is the width or more (or negative)",
                       .infer = infer_integers,
                       .evaluate = on_integers<left_shift>,
                       .no_gradient = kNoFloats,
                       .samples = shift_samples};

const Op shift_right_logical_op{.name = "shift_right_logical",
                                .summary = "z = the bits of x moved y down, zeros enter",
                                .infer = infer_integers,
                                .evaluate = on_integers<logical_right_shift>,
                                .no_gradient = kNoFloats,
                                .samples = shift_samples};

const Op shift_right_arithmetic_op{.name = "shift_right_arithmetic",
                                   .summary = "z = the bits of x moved y down, copies of the highest enter",
                                   .infer = infer_integers,
                                   .evaluate = on_integers<arithmetic_right_shift>,
                                   .no_gradient = kNoFloats,
                                   .samples = shift_samples};

}  // namespace temper
