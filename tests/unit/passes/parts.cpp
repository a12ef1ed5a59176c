#include <gtest/gtest.h>

#include <algorithm>

#include "ir/builder.h"
#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "ops/registry.h"
#include "passes/passes.h"
#include "support/wave.h"
#include "tensor/compare.h"

namespace temper {
namespace {

const Dim kBatch = Dim::symbol("N");

// Two convolutions, a mean over places and a dense layer whose weights are scaled first.
Graph network() {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {kBatch, 3, 8, 8}}), w = b.input("w", {DType::f32, {4, 3, 3, 3}}),
              v = b.input("v", {DType::f32, {2, 4}});
  const Value y = ops::max(b, ops::conv2d(b, x, w, {}, {.low = {1, 1}, .high = {1, 1}}), 0);
  const Value mean = ops::mul(b, ops::reduce_sum(b, y, {2, 3}), 1.0 / 64);
  b.output("scores", ops::matmul(b, mean, ops::transpose(b, ops::exp(b, v), {1, 0})));
  b.output("maps", y);
  return graph;
}

int scans(const Graph& graph) {
  return static_cast<int>(std::ranges::count(graph.nodes(), &op("scan"), &Node::op));
}

std::vector<Tensor> inputs_of(const Graph& graph) {
  std::vector<Tensor> tensors;
  for (const Port& port : graph.inputs) tensors.push_back(wave(graph.type(port.value), tensors.size()));
  return tensors;
}

TEST(Parts, GiveTheSameAsTheWholeBatch) {
  const Graph graph = network(), whole = specialise(graph, {{"N", 12}});
  const std::vector<Tensor> inputs = inputs_of(whole);
  const std::vector<Tensor> expected = interpret(whole, inputs);
  for (const int64_t bytes : {1, 2000, 4000, 8000}) {
    SCOPED_TRACE(bytes);
    const Graph parts = specialise_in_parts(graph, {{"N", 12}}, {.values = bytes});
    verify(parts);
    EXPECT_EQ(scans(parts), 1);
    const std::vector<Tensor> found = interpret(parts, inputs);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(parts.outputs[i].name, whole.outputs[i].name);
      EXPECT_EQ(difference(found[i], expected[i]).max_abs, 0);
    }
  }
}

int64_t rounds(const Graph& graph, int64_t batch, const CacheLimits& limits) {
  const Graph parts = specialise_in_parts(graph, {{"N", batch}}, limits);
  for (const Node& node : parts.nodes())
    if (node.op == &op("scan")) return node.attributes.get<int64_t>("length");
  return 1;
}

TEST(Parts, AreLargerWhereMoreFitsAndOneWhereAllFits) {
  const int64_t most = 2 * 4 * 8 * 8 * 4;  // the clamp reads and writes [4, 8, 8] floats
  EXPECT_EQ(rounds(network(), 12, {.values = 1}), 12);
  EXPECT_EQ(rounds(network(), 12, {.values = 4 * most}), 3);
  EXPECT_EQ(rounds(network(), 12, {.values = 6 * most}), 1);
  EXPECT_EQ(rounds(network(), 7, {.values = 2 * most}), 7);
}

TEST(Parts, ReadParametersThatAreNotCachedSeldom) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {kBatch, 4}}), w = b.input("w", {DType::f32, {4, 1000}});
  b.output("y", ops::matmul(b, x, w));
  EXPECT_EQ(rounds(graph, 64, {.values = 1}), 64);
  EXPECT_EQ(rounds(graph, 64, {.values = 1, .parameters = 0}), 4);  // 16,000 / 16 <= 4,016 / 4
}

TEST(Parts, LeaveAloneWhatMixesSamplesOrHasNoBatch) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {kBatch, 8}});
  b.output("y", ops::sub(b, x, ops::broadcast_to(b, ops::reduce_sum(b, x, {0}), {kBatch, 8})));
  EXPECT_EQ(scans(specialise_in_parts(graph, {{"N", 12}}, {.values = 1})), 0);
  EXPECT_EQ(scans(specialise_in_parts(specialise(network(), {{"N", 12}}), {}, {.values = 1})), 0);
}

TEST(Parts, ComputeOnceWhatNoSampleReaches) {
  const Graph parts = specialise_in_parts(network(), {{"N", 12}}, {.values = 1});
  int outside = 0, inside = 0;
  for (const Node& node : parts.nodes()) {
    outside += node.op == &op("exp");
    for (const Graph& region : node.regions)
      inside += static_cast<int>(std::ranges::count(region.nodes(), &op("exp"), &Node::op));
  }
  EXPECT_EQ(outside, 1);
  EXPECT_EQ(inside, 0);
}

}  // namespace
}  // namespace temper
