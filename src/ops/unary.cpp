// Maps of one operand.
#include <cmath>

#include "ops/map.h"

namespace temper {
namespace {

std::vector<Type> infer_float(const InferContext& c) {
  expect_inputs(c, 1);
  expect_dtype(c, 0, is_arithmetic_float, "of dtype f16, bf16, f32 or f64");
  return {c.inputs[0]};
}

std::vector<Type> infer_number(const InferContext& c) {
  expect_inputs(c, 1);
  expect_dtype(c, 0, is_arithmetic, "numbers");
  return {c.inputs[0]};
}

std::vector<Type> infer_bits(const InferContext& c) {
  expect_inputs(c, 1);
  expect_dtype(c, 0, is_bits, "booleans or integers");
  return {c.inputs[0]};
}

std::vector<Type> infer_predicate(const InferContext& c) {
  infer_float(c);
  return {{DType::boolean, c.inputs[0].shape}};
}

template <auto f>
std::vector<Array> on_reals(const EvaluateContext& c) {
  Array y = *c.inputs[0];
  for (double& value : y.reals) value = f(value);
  return {std::move(y)};
}

template <auto f, auto g>
std::vector<Array> on_numbers(const EvaluateContext& c) {
  Array y = std::move(on_reals<f>(c).front());
  for (int64_t& value : y.ints) value = wrap(y.type.dtype, g(y.type.dtype, value));
  return {std::move(y)};
}

// dx = dy * f(x, y)
template <auto f>
std::vector<Value> slope(Builder& b, const VjpContext& c) {
  return {ops::mul(b, c.cotangents[0], f(b, c.inputs[0], c.outputs[0]))};
}

// Constant almost everywhere.
std::vector<Value> flat(Builder&, const VjpContext&) { return {Value{}}; }

constexpr std::initializer_list<DType> kAllIntegers{DType::i8,  DType::u8,  DType::i16, DType::u16,
                                                    DType::i32, DType::u32, DType::i64, DType::u64};

std::vector<Sample> normal_samples() { return map_samples(1, {}); }
std::vector<Sample> positive_samples() { return map_samples(1, {uniform(0.125, 4)}); }
std::vector<Sample> number_samples() {
  return normal_samples() + integer_samples(1, {integers(-90, 90)}, kAllIntegers);
}
std::vector<Sample> rounding_samples() {
  return map_samples(1, {uniform(-5, 5)}) +
         std::vector<Sample>{
             {.name = "halves", .inputs = {f32({64})}, .fills = {distinct()}, .smooth = false}};
}

std::vector<Sample> bits_samples() {
  return integer_samples(1, {integers(-90, 90)}, kAllIntegers) + integer_samples(1, {}, {DType::boolean});
}

double sign_of(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

}  // namespace

using ops::add;
using ops::div;
using ops::mul;
using ops::sub;

const Op abs_op{
    .name = "abs",
    .summary = "y = |x|; the lowest integer stays itself",
    .infer = infer_number,
    .evaluate =
        on_numbers<[](double x) { return std::fabs(x); },
                   [](DType d, int64_t x) { return less(d, x, 0) ? wrap(d, -static_cast<uint64_t>(x)) : x; }>,
    .vjp = slope<[](Builder& b, Value x, Value) { return ops::sign(b, x); }>,
    .samples = number_samples};

const Op neg_op{
    .name = "neg",
    .summary = "y = -x",
    .infer = infer_number,
    .evaluate = on_numbers<[](double x) { return -x; },
                           [](DType, int64_t x) { return static_cast<int64_t>(-static_cast<uint64_t>(x)); }>,
    .vjp = [](Builder& b, const VjpContext& c) -> std::vector<Value> {
      return {ops::neg(b, c.cotangents[0])};
    },
    .samples = number_samples};

const Op sign_op{
    .name = "sign",
    .summary = "y = -1, 0 or 1; NaN stays NaN; gradient 0",
    .infer = infer_number,
    .evaluate = on_numbers<sign_of, [](DType d, int64_t x) { return x == 0          ? 0
                                                                    : less(d, x, 0) ? -1
                                                                                    : 1; }>,
    .vjp = flat,
    .samples = number_samples};

const Op exp_op{.name = "exp",
                .summary = "y = e^x",
                .infer = infer_float,
                .evaluate = on_reals<[](double x) { return std::exp(x); }>,
                .vjp = slope<[](Builder&, Value, Value y) { return y; }>,
                .samples = normal_samples};

const Op expm1_op{.name = "expm1",
                  .summary = "y = e^x - 1, accurate near 0",
                  .infer = infer_float,
                  .evaluate = on_reals<[](double x) { return std::expm1(x); }>,
                  .vjp = slope<[](Builder& b, Value, Value y) { return add(b, y, 1); }>,
                  .samples = normal_samples};

const Op log_op{.name = "log",
                .summary = "y = ln x",
                .infer = infer_float,
                .evaluate = on_reals<[](double x) { return std::log(x); }>,
                .vjp = [](Builder& b, const VjpContext& c) -> std::vector<Value> {
                  return {div(b, c.cotangents[0], c.inputs[0])};
                },
                .samples = positive_samples};

const Op log1p_op{.name = "log1p",
                  .summary = "y = ln(1 + x), accurate near 0",
                  .infer = infer_float,
                  .evaluate = on_reals<[](double x) { return std::log1p(x); }>,
                  .vjp = [](Builder& b, const VjpContext& c) -> std::vector<Value> {
                    return {div(b, c.cotangents[0], add(b, c.inputs[0], 1))};
                  },
                  .samples = positive_samples};

const Op sqrt_op{.name = "sqrt",
                 .summary = "y = x^(1/2)",
                 .infer = infer_float,
                 .evaluate = on_reals<[](double x) { return std::sqrt(x); }>,
                 .vjp = [](Builder& b, const VjpContext& c) -> std::vector<Value> {
                   return {div(b, mul(b, c.cotangents[0], 0.5), c.outputs[0])};
                 },
                 .samples = positive_samples};

const Op rsqrt_op{.name = "rsqrt",
                  .summary = "y = x^(-1/2)",
                  .infer = infer_float,
                  .evaluate = on_reals<[](double x) { return 1 / std::sqrt(x); }>,
                  .vjp = slope<[](Builder& b, Value x, Value y) { return div(b, mul(b, y, -0.5), x); }>,
                  .samples = positive_samples};

const Op sin_op{.name = "sin",
                .summary = "y = sin x",
                .infer = infer_float,
                .evaluate = on_reals<[](double x) { return std::sin(x); }>,
                .vjp = slope<[](Builder& b, Value x, Value) { return ops::cos(b, x); }>,
                .samples = normal_samples};

const Op cos_op{.name = "cos",
                .summary = "y = cos x",
                .infer = infer_float,
                .evaluate = on_reals<[](double x) { return std::cos(x); }>,
                .vjp = slope<[](Builder& b, Value x, Value) { return ops::neg(b, ops::sin(b, x)); }>,
                .samples = normal_samples};

const Op tanh_op{
    .name = "tanh",
    .summary = "y = tanh x",
    .infer = infer_float,
    .evaluate = on_reals<[](double x) { return std::tanh(x); }>,
    .vjp = slope<[](Builder& b, Value, Value y) { return sub(b, b.scalar(b.dtype(y), 1), mul(b, y, y)); }>,
    .samples = normal_samples};

const Op sigmoid_op{
    .name = "sigmoid",
    .summary = "y = 1 / (1 + e^-x)",
    .infer = infer_float,
    .evaluate = on_reals<[](double x) { return 1 / (1 + std::exp(-x)); }>,
    .vjp = slope<[](Builder& b, Value, Value y) { return mul(b, y, sub(b, b.scalar(b.dtype(y), 1), y)); }>,
    .samples = normal_samples};

const Op floor_op{.name = "floor",
                  .summary = "y = the largest whole number <= x; gradient 0",
                  .infer = infer_float,
                  .evaluate = on_reals<[](double x) { return std::floor(x); }>,
                  .vjp = flat,
                  .samples = rounding_samples};

const Op ceil_op{.name = "ceil",
                 .summary = "y = the smallest whole number >= x; gradient 0",
                 .infer = infer_float,
                 .evaluate = on_reals<[](double x) { return std::ceil(x); }>,
                 .vjp = flat,
                 .samples = rounding_samples};

const Op round_op{.name = "round",
                  .summary = "y = the nearest whole number, halves to even; gradient 0",
                  .infer = infer_float,
                  .evaluate = on_reals<[](double x) { return std::nearbyint(x); }>,
                  .vjp = flat,
                  .samples = rounding_samples};

const Op logical_not_op{
    .name = "logical_not",
    .summary = "y = not x; of integers every bit",
    .infer = infer_bits,
    .evaluate = on_numbers<[](double x) { return x; },
                           [](DType d, int64_t x) { return d == DType::boolean ? !x : ~x; }>,
    .no_gradient = "it is defined for booleans and integers only",
    .samples = bits_samples};

const Op is_finite_op{
    .name = "is_finite",
    .summary = "y = x is neither NaN nor infinite",
    .infer = infer_predicate,
    .evaluate = [](const EvaluateContext& c) -> std::vector<Array> {
      Array y = make_array(c.outputs[0]);
      for (size_t i = 0; i < y.ints.size(); ++i) y.ints[i] = std::isfinite(c.inputs[0]->reals[i]);
      return {std::move(y)};
    },
    .no_gradient = "its result is boolean",
    .samples =
        [] {
          return normal_samples() +
                 std::vector<Sample>{
                     {.name = "infinite", .inputs = {f32({4})}, .fills = {all(HUGE_VAL)}, .smooth = false},
                     {.name = "nan", .inputs = {f32({4})}, .fills = {all(NAN)}, .smooth = false}};
        }};

namespace ops {

Value abs(Builder& b, Value x) { return b.emit(abs_op, {x}); }
Value neg(Builder& b, Value x) { return b.emit(neg_op, {x}); }
Value sign(Builder& b, Value x) { return b.emit(sign_op, {x}); }
Value exp(Builder& b, Value x) { return b.emit(exp_op, {x}); }
Value expm1(Builder& b, Value x) { return b.emit(expm1_op, {x}); }
Value log(Builder& b, Value x) { return b.emit(log_op, {x}); }
Value log1p(Builder& b, Value x) { return b.emit(log1p_op, {x}); }
Value sqrt(Builder& b, Value x) { return b.emit(sqrt_op, {x}); }
Value rsqrt(Builder& b, Value x) { return b.emit(rsqrt_op, {x}); }
Value sin(Builder& b, Value x) { return b.emit(sin_op, {x}); }
Value cos(Builder& b, Value x) { return b.emit(cos_op, {x}); }
Value tanh(Builder& b, Value x) { return b.emit(tanh_op, {x}); }
Value sigmoid(Builder& b, Value x) { return b.emit(sigmoid_op, {x}); }
Value floor(Builder& b, Value x) { return b.emit(floor_op, {x}); }
Value ceil(Builder& b, Value x) { return b.emit(ceil_op, {x}); }
Value round(Builder& b, Value x) { return b.emit(round_op, {x}); }
Value logical_not(Builder& b, Value x) { return b.emit(logical_not_op, {x}); }
Value is_finite(Builder& b, Value x) { return b.emit(is_finite_op, {x}); }

}  // namespace ops
}  // namespace temper
