// Quantised graphs on the processor: contractions run on integers and give what the definition gives, but for
// a last bit where a number lies between two integers.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "convolution_cases.h"
#include "devices/cpu/legal_forms.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "run.h"
#include "runtime/compile.h"

namespace temper {

namespace {

// Integers that look random, over the whole range of a type or less.
Tensor bytes(DType dtype, const Shape& shape, uint64_t seed, double share = 1) {
  const Tensor noise = filled({DType::f32, shape}, seed);
  std::vector<int64_t> values;
  for (const double value : to_doubles(noise))
    values.push_back(static_cast<int64_t>(std::floor(value * 128 * share)) + (dtype == DType::u8 ? 128 : 0));
  return from_int64s({dtype, shape}, values);
}

Value number(Builder& b, float value) { return b.constant(Tensor::scalar(value)); }

enum class After { nothing, clip, sum };

// x in integers, weights by channel, a bias in 32 bits -> what follows -> integers
Graph convolution_graph(const ConvolutionCase& c, DType dtype, int64_t zero, After after,
                        bool quantizes = true) {
  Graph graph;
  Builder b(graph);
  const auto integer = [&](DType type, int64_t value) {
    return b.constant(from_int64s({type, {}}, std::vector{value}));
  };
  const float scale = 0.02f;
  const Value x = ops::dequantize(b, b.input("x", {dtype, c.x}), number(b, scale), integer(dtype, zero));
  const int64_t channels = c.w.size(0);
  std::vector<float> scales, sums;
  for (int64_t i = 0; i < channels; ++i) {
    scales.push_back(0.001f * static_cast<float>(i % 7 + 1));
    sums.push_back(scales.back() * scale);
  }
  const Value w = ops::dequantize(b, b.constant(bytes(DType::i8, c.w, 5)),
                                  b.constant(Tensor::from<float>({channels}, scales)), {}, 0);
  std::vector<int32_t> biases;
  for (int64_t i = 0; i < channels; ++i) biases.push_back(static_cast<int32_t>(i * 917 % 4000 - 2000));
  const Value bias = ops::dequantize(b, b.constant(Tensor::from<int32_t>({channels}, biases)),
                                     b.constant(Tensor::from<float>({channels}, sums)), {}, 0);
  Value y = ops::conv2d(b, x, w, bias, c.attributes);
  if (after == After::clip) y = ops::clamp(b, y, 0, 3);
  if (after == After::sum) {
    const Value other = ops::dequantize(b, b.input("other", {DType::u8, b.shape(y)}), number(b, 0.03f),
                                        integer(DType::u8, 90));
    y = ops::relu(b, ops::add(b, other, y));
  }
  if (quantizes)
    y = ops::quantize(b, y, number(b, 0.037f), integer(DType::u8, after == After::nothing ? 117 : 0), {});
  b.output("y", y);
  return graph;
}

std::vector<Tensor> inputs_for(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs) {
    const Type& type = graph.type(port.value);
    inputs.push_back(bytes(type.dtype, type.shape, inputs.size() + 1));
  }
  return inputs;
}

// Never more than one apart, and that seldom.
void expect_alike(const Tensor& found, const Tensor& expected) {
  ASSERT_EQ(found.type(), expected.type());
  const std::vector<int64_t> a = to_int64s(found), b = to_int64s(expected);
  size_t apart = 0;
  int64_t furthest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    apart += a[i] != b[i];
    furthest = std::max(furthest, std::abs(a[i] - b[i]));
  }
  EXPECT_LE(furthest, 1);
  EXPECT_LE(apart, a.size() / 200);
}

void expect_launches(const Executable& executable, const std::vector<std::string>& kinds) {
  std::vector<std::string> found;
  for (const LaunchProfile& launch : executable.launches()) found.push_back(launch.kind);
  EXPECT_EQ(found, kinds);
}

}  // namespace

TEST(Integers, ConvolutionsAgreeWithTheDefinition) {
  for (const ConvolutionCase& c : convolution_cases())
    for (const auto& [dtype, zero] :
         {std::pair{DType::u8, 0}, {DType::u8, 113}, {DType::i8, 0}, {DType::i8, -9}})
      for (const After after : {After::nothing, After::clip, After::sum}) {
        SCOPED_TRACE(testing::Message() << c.name << ", " << to_string(dtype) << " around " << zero << ", "
                                        << static_cast<int>(after));
        const Graph graph = convolution_graph(c, dtype, zero, after);
        const std::vector<Tensor> inputs = inputs_for(graph);
        const std::vector<Tensor> found = run(graph, inputs, {.threads = 2});
        expect_alike(found[0], interpret(graph, inputs)[0]);
        expect_same_bits(run(graph, inputs, {.threads = 1}), found);
      }
}

TEST(Integers, AConvolutionIsOneLaunch) {
  const ConvolutionCase& c = convolution_cases()[0];
  const auto kinds = [&](After after) { return load(convolution_graph(c, DType::u8, 0, after)); };
  // x comes row-major
  expect_launches(*kinds(After::clip), {"conv2d+max+min+quantize"});
  expect_launches(*kinds(After::sum), {"conv2d+add+max+quantize"});
}

TEST(Integers, ResultsMayStayReal) {
  const Graph graph = convolution_graph(convolution_cases()[2], DType::u8, 77, After::sum, false);
  const std::vector<Tensor> inputs = inputs_for(graph);
  expect_close(run(graph, inputs), interpret(graph, inputs), 1e-5);
}

TEST(Integers, ProductsAgreeWithTheDefinition) {
  for (const bool turned : {false, true})
    for (const Shape& shape : {Shape{1, 48}, Shape{7, 48}, Shape{2, 5, 48}}) {
      SCOPED_TRACE(to_string(shape));
      Graph graph;
      Builder b(graph);
      const Value x = ops::dequantize(b, b.input("x", {DType::u8, shape}), number(b, 0.02f),
                                      b.constant(Tensor::scalar(uint8_t{31})));
      const Tensor weights = bytes(DType::i8, turned ? Shape{20, 48} : Shape{48, 20}, 3);
      std::vector<float> scales;
      for (int i = 0; i < 20; ++i) scales.push_back(0.002f * static_cast<float>(i % 5 + 1));
      const Value w = ops::dequantize(b, b.constant(weights), b.constant(Tensor::from<float>({20}, scales)),
                                      {}, turned ? 0 : 1);
      const int64_t last = shape.rank() - 1;
      Value y = ops::dot_general(b, x, w, {{}, {}, {last}, {turned ? 1 : 0}});
      y = ops::add(b, y,
                   ops::broadcast_in_dim(b, b.constant(filled({DType::f32, {20}}, 8)), b.shape(y), {last}));
      b.output("real", y);
      b.output("y", ops::quantize(b, ops::relu(b, y), number(b, 0.05f),
                                  b.constant(Tensor::scalar(uint8_t{0})), {}));
      const std::vector<Tensor> inputs = inputs_for(graph);
      const std::vector<Tensor> found = run(graph, inputs), expected = interpret(graph, inputs);
      expect_close({found[0]}, {expected[0]}, 1e-5);
      expect_alike(found[1], expected[1]);
      expect_same_bits(run(graph, inputs, {.threads = 1}), run(graph, inputs, {.threads = 2}));
    }
}

// Pairs of the largest products leave 16 bits, as some processors add them up.
TEST(Integers, NoSumSaturates) {
  for (const int8_t least : {int8_t{-128}, int8_t{127}})
    for (const int64_t depth : {4, 48, 130, 70'000}) {
      SCOPED_TRACE(testing::Message() << depth << " times " << int{least});
      Graph graph;
      Builder b(graph);
      const Value x = ops::dequantize(b, b.input("x", {DType::u8, {5, depth}}), number(b, 0.5f), {});
      Tensor weights(Type{DType::i8, {depth, 9}});
      std::ranges::fill(weights.mutable_values<int8_t>(), least);
      b.output("y", ops::matmul(b, x, ops::dequantize(b, b.constant(weights), number(b, 0.25f), {})));
      Tensor most(Type{DType::u8, {5, depth}});
      std::ranges::fill(most.mutable_values<uint8_t>(), uint8_t{255});
      const std::vector<Tensor> inputs{most};
      expect_close(run(graph, inputs), interpret(graph, inputs), depth < 70'000 ? 1e-6 : 1e-4);  // f32
    }
}

// Every activation, sums with numbers that are no integers, more of them than one kernel takes.
TEST(Integers, WhateverFollowsAgreesWithTheDefinition) {
  using Follow = std::function<Value(Builder&, Value, Value)>;
  const std::vector<std::pair<const char*, Follow>> all{
      {"sigmoid", [](Builder& b, Value y, Value) { return ops::sigmoid(b, y); }},
      {"tanh", [](Builder& b, Value y, Value) { return ops::tanh(b, y); }},
      {"gelu", [](Builder& b, Value y, Value) { return ops::gelu(b, y, false); }},
      {"gelu by tanh", [](Builder& b, Value y, Value) { return ops::gelu(b, y, true); }},
      {"scale", [](Builder& b, Value y, Value) { return ops::mul(b, y, -0.5); }},
      {"clip", [](Builder& b, Value y, Value) { return ops::clamp(b, y, -0.3, 0.4); }},
      {"sum", [](Builder& b, Value y, Value other) { return ops::relu(b, ops::add(b, y, other)); }},
      {"many sums", [](Builder& b, Value y, Value other) {
         for (int i = 0; i < 40; ++i) y = ops::mul(b, ops::add(b, y, other), 0.5);
         return y;
       }}};
  for (const auto& [name, follow] : all)
    for (const DType dtype : {DType::u8, DType::i8, DType::f32}) {
      SCOPED_TRACE(testing::Message() << name << ", " << to_string(dtype));
      Graph graph;
      Builder b(graph);
      const Value x = ops::dequantize(b, b.input("x", {DType::u8, {2, 24, 7, 7}}), number(b, 0.01f),
                                      b.constant(Tensor::scalar(uint8_t{100})));
      const Value w =
          ops::dequantize(b, b.constant(bytes(DType::i8, {19, 24, 3, 3}, 3, 0.4)), number(b, 0.002f), {});
      const Value y = ops::conv2d(b, x, w, {}, {.low = {1, 1}, .high = {1, 1}});
      const Value z = follow(b, y, b.input("other", {DType::f32, b.shape(y)}));
      const bool is_signed = dtype == DType::i8;
      const Value zero =
          is_signed ? b.constant(Tensor::scalar(int8_t{3})) : b.constant(Tensor::scalar(uint8_t{120}));
      b.output("y", dtype == DType::f32 ? z : ops::quantize(b, z, number(b, 0.015f), zero, {.dtype = dtype}));
      const std::vector<Tensor> inputs{bytes(DType::u8, {2, 24, 7, 7}, 1),
                                       filled({DType::f32, {2, 19, 7, 7}}, 2)};
      const Tensor found = run(graph, inputs)[0], expected = interpret(graph, inputs)[0];
      if (dtype == DType::f32) {
        expect_close({found}, {expected}, 1e-5);
      } else {
        expect_alike(found, expected);
      }
    }
}

// A result that is rounded and then added to another stays inside its kernel; one that is not added does not.
TEST(Integers, RoundingBetweenSumsIsPartOfAKernel) {
  for (const bool adds : {true, false}) {
    Graph graph;
    Builder b(graph);
    const auto rounded = [&](Value value, float scale, uint8_t zero) {
      const Value step = number(b, scale), origin = b.constant(Tensor::scalar(zero));
      return ops::dequantize(b, ops::quantize(b, value, step, origin, {}), step, origin);
    };
    const Value x = ops::dequantize(b, b.input("x", {DType::u8, {2, 16, 6, 6}}), number(b, 0.02f), {});
    const Value w =
        ops::dequantize(b, b.constant(bytes(DType::i8, {16, 16, 1, 1}, 3, 0.4)), number(b, 0.003f), {});
    Value y = rounded(ops::conv2d(b, x, w, {}, {}), 0.05f, 131);
    if (adds) {
      const Value other = ops::dequantize(b, b.input("other", {DType::u8, b.shape(y)}), number(b, 0.07f),
                                          b.constant(Tensor::scalar(uint8_t{90})));
      y = ops::quantize(b, ops::relu(b, ops::add(b, y, other)), number(b, 0.06f), {}, {});
    } else {
      y = ops::transpose(b, y, {0, 2, 3, 1});
    }
    b.output("y", y);
    const std::vector<Tensor> inputs = inputs_for(graph);
    const auto executable = load(graph);
    if (adds) {
      expect_launches(*executable, {"conv2d+quantize+dequantize+add+max+quantize"});
      expect_alike(run(*executable, inputs)[0], interpret(graph, inputs)[0]);
    } else {
      expect_launches(*executable, {"conv2d+quantize", "dequantize", "copy"});
      expect_close(run(*executable, inputs), interpret(graph, inputs), 0.05);
    }
  }
}

TEST(Integers, WeightsMayBeUnsigned) {
  Graph graph;
  Builder b(graph);
  const Value x = ops::dequantize(b, b.input("x", {DType::u8, {3, 16}}), number(b, 0.02f), {});
  const Value w = ops::dequantize(b, b.constant(bytes(DType::u8, {16, 8}, 3)), number(b, 0.01f),
                                  b.constant(Tensor::scalar(uint8_t{128})));
  b.output("y", ops::matmul(b, x, w));
  const std::vector<Tensor> inputs = inputs_for(graph);
  const auto executable = load(graph);
  expect_launches(*executable, {"dot_general"});
  expect_close(run(*executable, inputs), interpret(graph, inputs), 1e-5);
}

// Between convolutions integers only: signed ones, a maximum, two branches side by side.
TEST(Integers, StayIntegersBetweenConvolutions) {
  Graph graph;
  Builder b(graph);
  const auto weights = [&](const Shape& shape, uint64_t seed) {
    return ops::dequantize(b, b.constant(bytes(DType::i8, shape, seed)), number(b, 0.003f), {});
  };
  const auto integers = [&](Value value) {
    const Value scale = number(b, 0.05f), zero = b.constant(Tensor::scalar(int8_t{-100}));
    return ops::dequantize(b, ops::quantize(b, value, scale, zero, {.dtype = DType::i8}), scale, zero);
  };
  Value y = integers(b.input("x", {DType::f32, {2, 8, 12, 12}}));
  y = integers(ops::relu(b, ops::conv2d(b, y, weights({16, 8, 1, 1}, 1), {}, {})));
  y = integers(ops::max_pool(b, y, {.window = {3, 3}, .strides = {2, 2}, .low = {1, 1}, .high = {1, 1}}));
  const Value left = integers(ops::conv2d(b, y, weights({8, 16, 1, 1}, 2), {}, {})),
              right =
                  integers(ops::conv2d(b, y, weights({8, 16, 3, 3}, 3), {}, {.low = {1, 1}, .high = {1, 1}}));
  y = integers(ops::concat(b, {left, right}, 1));
  b.output("y", ops::conv2d(b, y, weights({4, 16, 1, 1}, 4), {}, {}));
  const std::vector<Tensor> inputs{filled({DType::f32, {2, 8, 12, 12}}, 1)};
  const auto executable = load(graph);
  expect_launches(*executable, {"map", "conv2d+max+quantize", "max_pool", "conv2d+quantize",
                                "conv2d+quantize", "concat", "conv2d"});
  expect_close(run(*executable, inputs), interpret(graph, inputs), 0.02);
  expect_same_bits(run(graph, inputs, {.threads = 1}), run(graph, inputs, {.threads = 2}));
}

TEST(Integers, SignedOnesBecomeUnsignedWhereNobodySeesThem) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {4, 33}}), scale = number(b, 0.01f), coarse = number(b, 0.02f),
              zero = b.constant(Tensor::scalar(int8_t{-100}));
  const Value hidden = ops::quantize(b, x, scale, zero, {.dtype = DType::i8}),
              seen = ops::quantize(b, x, coarse, zero, {.dtype = DType::i8});
  b.output("y", ops::dequantize(b, hidden, scale, zero));
  b.output("z", ops::dequantize(b, seen, coarse, zero));
  b.output("integers", seen);
  const Graph changed = cpu::unsigned_integers(graph);
  std::map<DType, int> counts;
  for (const Node& node : changed.nodes())
    if (node.op->name == "quantize") ++counts[node.outputs[0].dtype];
  EXPECT_EQ(counts, (std::map<DType, int>{{DType::i8, 1}, {DType::u8, 1}}));
  const std::vector<Tensor> inputs{filled({DType::f32, {4, 33}}, 1)};
  expect_same_bits(interpret(changed, inputs), interpret(graph, inputs));
}

// What is no contraction reads and writes integers in its own loop.
TEST(Integers, MapsReadAndWriteThem) {
  Graph graph;
  Builder b(graph);
  const auto real = [&](std::string_view name, float scale, uint8_t zero) {
    return ops::dequantize(b, b.input(name, {DType::u8, {3, 5, 7, 4}}), number(b, scale),
                           b.constant(Tensor::scalar(zero)));
  };
  const Value sum = ops::relu(b, ops::add(b, real("x", 0.25f, 100), real("z", 0.5f, 128)));
  b.output("y", ops::quantize(b, sum, number(b, 0.5f), b.constant(Tensor::scalar(uint8_t{3})), {}));
  const std::vector<Tensor> inputs = inputs_for(graph);
  const auto executable = load(graph);
  ASSERT_EQ(executable->launches().size(), 1u);
  EXPECT_LT(executable->launches()[0].bytes, 4 * 3 * 5 * 7 * 4) << "three of bytes and a few numbers";
  EXPECT_EQ(to_int64s(run(*executable, inputs)[0]), to_int64s(interpret(graph, inputs)[0]));
}

}  // namespace temper
