// Ranges from what was seen, and float models as quantised ones.
#include "quantize/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "devices/cpu/cpu.h"
#include "formats/onnx/onnx.h"
#include "nn/layers.h"
#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "passes/passes.h"
#include "quantize/sites.h"
#include "runtime/compile.h"
#include "runtime/registry.h"
#include "support/expect_error.h"

namespace temper {
namespace {

Device& processor() {
  register_device(cpu::cpu_device());
  return open_device("cpu");
}

Tensor noise(const Shape& shape, uint64_t seed) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  uint64_t state = seed;
  for (float& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<float>(state >> 40) / (1 << 23) - 1;
  }
  return Tensor::from<float>(shape, values);
}

TEST(Ranges, CoverWhatWasSeenAndZero) {
  Histogram seen;
  seen.add(std::vector<float>{2, 3, INFINITY, 5, NAN});
  const Range range = choose_range(seen, Calibrator::min_max);
  EXPECT_EQ(range.low, 0);
  EXPECT_EQ(range.high, 5);
  EXPECT_EQ(seen.total(), 3);
  Histogram nothing;
  nothing.add(std::vector<float>{0, 0});
  for (const Calibrator calibrator : {Calibrator::min_max, Calibrator::percentile, Calibrator::error}) {
    EXPECT_EQ(choose_range(nothing, calibrator).low, 0);
    EXPECT_EQ(choose_range(nothing, calibrator).high, 0);
  }
}

TEST(Ranges, LeaveOutWhatStandsAlone) {
  std::vector<float> values;
  for (int i = 0; i < 100000; ++i) values.push_back(std::sin(static_cast<float>(i)));
  values.push_back(50);
  Histogram seen;
  seen.add(values);
  EXPECT_EQ(choose_range(seen, Calibrator::min_max).high, 50);
  EXPECT_NEAR(choose_range(seen, Calibrator::percentile).high, 1, 0.02);
  EXPECT_NEAR(choose_range(seen, Calibrator::percentile).low, -1, 0.02);
  EXPECT_LT(choose_range(seen, Calibrator::error).high, 49);
}

TEST(Ranges, AddUp) {
  Histogram a, b, both;
  a.add(std::vector<float>{1, -2}), b.add(std::vector<float>{0.5f, 7});
  both.add(std::vector<float>{1, -2, 0.5f, 7});
  a.add(b);
  for (const Calibrator calibrator : {Calibrator::min_max, Calibrator::percentile, Calibrator::error}) {
    EXPECT_EQ(choose_range(a, calibrator).low, choose_range(both, calibrator).low);
    EXPECT_EQ(choose_range(a, calibrator).high, choose_range(both, calibrator).high);
  }
}

// input[N, 3, 16, 16] -> stem, maximum, a block with a shortcut, one with a projection -> dense 10
Model residual_net() {
  Model model;
  Builder b(model.graph);
  nn::Layers layers(model, 1);
  const auto block = [&](const std::string& name, Value x, int64_t channels, int64_t stride) {
    Value y = layers.conv(name + ".conv1", x, {.channels = channels, .stride = stride, .padding = 1});
    y = layers.activation(name + ".relu", y, "relu");
    y = layers.conv(name + ".conv2", y, {.channels = channels, .padding = 1});
    if (b.shape(y) != b.shape(x))
      x = layers.conv(name + ".short", x, {.channels = channels, .window = 1, .stride = stride});
    return layers.activation(name + ".out", ops::add(layers.builder(), x, y), "relu");
  };
  Value y = layers.builder().input("input", {DType::f32, {Dim::symbol("N"), 3, 16, 16}});
  y = layers.activation("relu", layers.conv("stem", y, {.channels = 8, .padding = 1}), "relu");
  y = ops::max_pool(layers.builder(), y, {.window = {2, 2}, .strides = {2, 2}});
  y = block("c", block("b", y, 8, 1), 16, 2);
  layers.builder().output("output", layers.dense("fc", layers.global_avg_pool("gap", y), 10));
  return model;
}

std::vector<double> scores(const Model& model, const Tensor& input) {
  const Graph graph = specialise(model.graph, {{"N", input.shape().size(0)}});
  std::vector<Tensor> arguments;
  for (const Port& port : graph.inputs) {
    const auto parameter = model.parameters.find(port.name);
    arguments.push_back(parameter == model.parameters.end() ? input : parameter->second);
  }
  return to_doubles(run_once(processor(), graph, arguments)[0]);
}

double furthest(const std::vector<double>& a, const std::vector<double>& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

double largest(const std::vector<double>& values) {
  double most = 0;
  for (const double value : values) most = std::max(most, std::abs(value));
  return most;
}

TEST(Quantize, StaysNearTheFloatModel) {
  const Model model = residual_net();
  std::vector<Tensor> batches;
  for (uint64_t seed = 1; seed <= 4; ++seed) batches.push_back(noise({8, 3, 16, 16}, seed));
  const Tensor input = noise({16, 3, 16, 16}, 9);
  const std::vector<double> exact = scores(model, input);
  for (const Calibrator calibrator : {Calibrator::min_max, Calibrator::percentile, Calibrator::error}) {
    const Model integers = quantize(processor(), model, batches, {.calibrator = calibrator});
    check(integers);
    verify(integers.graph);
    EXPECT_TRUE(is_quantized(integers.graph));
    EXPECT_TRUE(integers.parameters.empty()) << "all weights and biases are constants now";
    const std::vector<double> found = scores(integers, input);
    EXPECT_LT(furthest(found, exact), 0.03 * largest(exact));
    EXPECT_NE(found, exact);
  }
}

TEST(Quantize, KeepsIntegersBetweenContractions) {
  const Model model = residual_net();
  const std::vector<Tensor> batches{noise({8, 3, 16, 16}, 1)};
  const Model integers = quantize(processor(), model, batches);
  const auto executable = compile(processor(), specialise(integers.graph, {{"N", 2}}));
  std::vector<std::string> kinds;
  for (const LaunchProfile& launch : executable->launches())
    if (!launch.kind.starts_with("conv2d") || !launch.kind.ends_with("quantize"))
      kinds.push_back(launch.kind);
  // the input becomes integers, the maximum moves them, the mean and the scores are real
  EXPECT_EQ(kinds, (std::vector<std::string>{"map", "max_pool", "dequantize", "avg_pool", "map",
                                             "dot_general+add"}));
}

TEST(Quantize, IsWrittenAsOnnxAndReadAgain) {
  const Model model = residual_net();
  const std::vector<Tensor> batches{noise({8, 3, 16, 16}, 1)};
  const Model integers = quantize(processor(), model, batches);
  const Model again = onnx::read_onnx(onnx::onnx_bytes(integers, {}), "again.onnx", {});
  const auto count = [](const Model& m, std::string_view op) {
    return std::ranges::count_if(m.graph.nodes(), [&](const Node& node) { return node.op->name == op; });
  };
  for (const char* op : {"quantize", "dequantize", "conv2d"})
    EXPECT_EQ(count(again, op), count(integers, op)) << op;
  const Tensor input = noise({4, 3, 16, 16}, 9);
  EXPECT_EQ(scores(again, input), scores(integers, input));
}

TEST(Quantize, GivesTheSameGraphAgain) {
  const Model model = residual_net();
  const std::vector<Tensor> batches{noise({8, 3, 16, 16}, 1)};
  QuantizeOptions one, two;
  one.compile.threads = 1, two.compile.threads = 2;
  EXPECT_TRUE(same(quantize(processor(), model, batches, one).graph,
                   quantize(processor(), model, batches, two).graph));
}

TEST(Quantize, RefusesWhatHasNothingForIt) {
  Model model;
  Builder b(model.graph);
  b.output("y", ops::relu(b, b.input("x", {DType::f32, {2, 3}})));
  expect_error(ErrorKind::unsupported, "int8: the model has no convolution of pictures",
               [&] { quantize(processor(), model, std::vector{noise({2, 3}, 1)}); });
}

}  // namespace
}  // namespace temper
