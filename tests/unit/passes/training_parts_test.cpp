#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "grad/gradient.h"
#include "ir/builder.h"
#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "ops/registry.h"
#include "passes/passes.h"
#include "support/norm_block.h"
#include "support/wave.h"
#include "tensor/compare.h"

namespace temper {
namespace {

constexpr TrainingLimits kAll{.pictures = 0, .part = 1};  // every norm, part by part

std::vector<Node> regions_of(const Graph& graph) {
  std::vector<Node> regions;
  for (const Node& node : graph.nodes())
    if (node.op == &op("in_parts")) regions.push_back(node);
  return regions;
}

std::vector<Tensor> inputs_of(const Graph& graph) {
  std::vector<Tensor> tensors;
  for (const Port& port : graph.inputs)
    tensors.push_back(wave(graph.type(port.value), static_cast<double>(tensors.size())));
  return tensors;
}

void expect_same_results(const Graph& parts, const Graph& whole, double tolerance) {
  const std::vector<Tensor> inputs = inputs_of(whole), expected = interpret(whole, inputs),
                            found = interpret(parts, inputs);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(parts.outputs[i].name, whole.outputs[i].name);
    double largest = 1;
    for (const double value : to_doubles(expected[i])) largest = std::max(largest, std::abs(value));
    EXPECT_LE(difference(found[i], expected[i]).max_abs, tolerance * largest) << whole.outputs[i].name;
  }
}

TEST(TrainingParts, GiveTheGradientsOfTheWholeBatch) {
  const Graph whole = norm_block(DType::f32, 6);
  for (const int64_t bytes : {1, 3000, 6000}) {
    SCOPED_TRACE(bytes);
    const Graph parts = train_in_parts(whole, {.pictures = 0, .part = bytes});
    verify(parts);
    EXPECT_GE(regions_of(parts).size(), 8);
    expect_same_results(parts, whole, 2e-5);
  }
}

TEST(TrainingParts, AreTakenInBf16) {
  const Graph whole = norm_block(DType::bf16, 4), parts = train_in_parts(whole, kAll);
  EXPECT_GE(regions_of(parts).size(), 8);
  expect_same_results(parts, whole, 0.05);
}

int64_t parts_of_first(const Graph& graph, const TrainingLimits& limits) {
  const std::vector<Node> regions = regions_of(train_in_parts(graph, limits));
  return regions.empty() ? 0 : regions[0].attributes.get<int64_t>("parts");
}

// The first region: x [n, 3, 6, 6], the convolution's [n, 4, 6, 6] and its sums.
TEST(TrainingParts, AreLargerWhereMoreFitsAndNoneWhereNothingIsGained) {
  const Graph graph = norm_block(DType::f32, 12);
  const int64_t most = (3 + 4) * 36 * 4;
  EXPECT_EQ(parts_of_first(graph, {.pictures = 0, .part = 1}), 12);
  EXPECT_EQ(parts_of_first(graph, {.pictures = 0, .part = 3 * most}), 4);
  EXPECT_EQ(parts_of_first(graph, {.pictures = 0, .part = 5 * most}), 3);
  EXPECT_EQ(parts_of_first(graph, {.pictures = 1 << 20, .part = 1}), 0);  // no norm is large
  EXPECT_EQ(parts_of_first(norm_block(DType::f32, 1), kAll), 0);
}

// A weight whose gradient in every part would take more memory than the pictures.
TEST(TrainingParts, DoNotAddUpMoreThanTheyKeep) {
  const auto adds_up = [](int64_t channels) {
    Graph graph;
    Builder b(graph);
    const Value x = b.input("x", {DType::f32, {8, channels, 2, 2}}),
                w = b.input("w", {DType::f32, {channels, channels, 1, 1}}),
                scale = b.input("scale", {DType::f32, {channels}}),
                bias = b.input("bias", {DType::f32, {channels}});
    const Value y = ops::conv2d(b, x, w, {}, {});
    const Value z = ops::batch_norm_act_train(b, y, scale, bias, {}, {.epsilon = 1e-3, .low = 0}).y;
    b.output("gradient", gradient(b, ops::reduce_sum(b, ops::mul(b, z, z), {0, 1, 2, 3}), {&w, 1})[0]);
    const std::vector<Node> regions = regions_of(train_in_parts(graph, kAll));
    return std::ranges::any_of(regions, [](const Node& region) {
      const auto& nodes = region.regions[0].nodes();
      return std::ranges::count(nodes, &op("conv_weight_grad"), &Node::op) > 0;
    });
  };
  EXPECT_TRUE(adds_up(2));
  EXPECT_FALSE(adds_up(48));
}

// What the norm gives is computed where it is read; only what the convolutions give is kept.
TEST(TrainingParts, DoNotKeepWhatNormsGive) {
  const Graph parts = train_in_parts(norm_block(DType::f32, 4), kAll);
  int repeated = 0;
  for (const Node& region : regions_of(parts)) {
    const Graph& body = region.regions[0];
    for (const Node& node : body.nodes()) {
      if (node.op != &op("batch_norm_act_infer") || node.inputs.size() > 5) continue;
      ++repeated;
      for (const Port& port : body.outputs) EXPECT_NE(&body.node(port.value), &node) << port.name;
    }
  }
  EXPECT_EQ(repeated, 3 + 2 + 2);  // forward and in a weight's gradient, the first one also in a sum
}

// Pictures that are the weights of another convolution: each sample reads all of them.
TEST(TrainingParts, WaitForPicturesThatAreReadWhole) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {4, 4, 3, 3}}), w = b.input("w", {DType::f32, {4, 4, 1, 1}}),
              scale = b.input("scale", {DType::f32, {4}}), bias = b.input("bias", {DType::f32, {4}});
  const auto norm = [&](Value y) {
    return ops::batch_norm_act_train(b, y, scale, bias, {}, {.epsilon = 1e-3, .low = 0}).y;
  };
  const Value y = norm(ops::conv2d(b, x, w, {}, {}));
  b.output("z", norm(ops::conv2d(b, x, y, {}, {.low = {1, 1}, .high = {1, 1}})));
  const Graph parts = train_in_parts(graph, kAll);
  EXPECT_GE(regions_of(parts).size(), 2);
  expect_same_results(parts, graph, 2e-5);
}

TEST(TrainingParts, LeaveAStepAloneThatComputesMoreThanItReads) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {4, 64, 16, 16}}), w = b.input("w", {DType::f32, {64, 64, 3, 3}}),
              scale = b.input("scale", {DType::f32, {64}}), bias = b.input("bias", {DType::f32, {64}});
  const Value y = ops::conv2d(b, x, w, {}, {.low = {1, 1}, .high = {1, 1}});
  b.output("y", ops::batch_norm_act_train(b, y, scale, bias, {}, {.epsilon = 1e-3, .low = 0}).y);
  EXPECT_TRUE(same(train_in_parts(graph, kAll), graph));
}

}  // namespace
}  // namespace temper
