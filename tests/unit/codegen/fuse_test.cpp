// Which nodes share a tape, and what the tape says.
#include "codegen/fuse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "ops/primitives.h"

namespace temper {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class Fuse : public testing::Test {
 protected:
  Value input(std::string_view name, Shape shape = {8, 5}) {
    return b.input(name, {DType::f32, std::move(shape)});
  }

  std::vector<Cluster> fuse(size_t max_operands = 1000) {
    std::vector<bool> taken;
    for (const Node& node : graph.nodes())
      taken.push_back(node.op->name == "input" || node.op->name == "constant" ||
                      node.op->name == "dot_general" || node.op->name == "reshape");
    return fuse_maps(graph, taken, max_operands);
  }

  // The names of the ops that a cluster owns.
  std::vector<std::string_view> own(const Cluster& cluster) {
    std::vector<std::string_view> names;
    for (int i : cluster.nodes)
      if (!std::binary_search(cluster.repeated.begin(), cluster.repeated.end(), i))
        names.push_back(graph.nodes()[static_cast<size_t>(i)].op->name);
    return names;
  }

  std::string tape(const Cluster& cluster, std::vector<Value> inputs, std::vector<Value> outputs) {
    return print(lower(graph, cluster, inputs, outputs));
  }

  Graph graph;
  Builder b{graph};
};

TEST_F(Fuse, AnUpdateWithSeveralResultsIsOneTape) {
  const Value p = input("p"), v = input("v"), g = input("g"), rate = input("rate", {});
  const Value speed = ops::add(b, ops::mul(b, v, 0.75), g);
  const Value moved = ops::sub(b, p, ops::mul(b, speed, rate));
  b.output("p", moved), b.output("v", speed);
  const std::vector<Cluster> clusters = fuse();
  ASSERT_THAT(clusters, SizeIs(1));
  EXPECT_EQ(clusters[0].kind, "map");
  EXPECT_EQ(tape(clusters[0], {p, v, g, rate}, {speed, moved}),
            "space [8, 5]\n"
            "%0 = f32 input 1 [0, 1]\n"
            "%1 = f32 0.75\n"
            "%2 = f32 input 2 [0, 1]\n"
            "%3 = f32 input 3 [-1, -1]\n"
            "%4 = f32 input 0 [0, 1]\n"
            "%5 = mul_add f32 %0 %1 %2\n"
            "%6 = neg_mul_add f32 %5 %3 %4\n"
            "result all %5\n"
            "result all %6\n");
}

// A device bounds the operands of a kernel: a chain whose every link is a result is cut.
TEST_F(Fuse, NoTapeHasMoreOperandsThanAllowed) {
  Value x = input("x");
  for (int i = 0; i < 60; ++i) {
    x = ops::add(b, x, input(concat("x", i), i % 2 ? Shape{8, 5} : Shape{}));
    b.output(concat("y", i), x);
  }
  const auto most = [&](const std::vector<Cluster>& clusters) {
    size_t operands = 0;
    for (const Cluster& cluster : clusters) {
      std::set<Value> read;
      for (const int i : cluster.nodes)
        for (const Value value : graph.nodes()[static_cast<size_t>(i)].inputs)
          if (!std::ranges::binary_search(cluster.nodes, value.node)) read.insert(value);
      operands = std::max(operands, read.size() + own(cluster).size());
    }
    return operands;
  };
  const std::vector<Cluster> free = fuse(), bound = fuse(16);
  EXPECT_GT(most(free), 40u);
  EXPECT_LE(most(bound), 16u);
  EXPECT_GT(bound.size(), free.size());
  EXPECT_LT(bound.size(), 16u) << "it still fuses";
}

TEST_F(Fuse, AReductionEndsTheTapeThatFeedsIt) {
  const Value x = input("x");
  b.output("y", ops::reduce_sum(b, ops::exp(b, x), {0}));
  b.output("z", ops::reduce_max(b, ops::exp(b, x), {0}));
  const std::vector<Cluster> clusters = fuse();
  ASSERT_THAT(clusters, SizeIs(1));
  EXPECT_EQ(clusters[0].kind, "map+reduce");
}

TEST_F(Fuse, NoClusterWaitsForItself) {  // the difference needs the sum of what it subtracts from
  const Value x = input("x"), e = ops::exp(b, x);
  const Value sum = ops::reduce_sum(b, e, {1});
  b.output("y", ops::div(b, e, ops::broadcast_in_dim(b, sum, {8, 5}, {0})));
  const std::vector<Cluster> clusters = fuse();
  ASSERT_THAT(clusters, SizeIs(2));
  EXPECT_THAT(own(clusters[0]), ElementsAre("exp", "reduce"));
  EXPECT_THAT(own(clusters[1]), ElementsAre("div"));
  EXPECT_THAT(clusters[1].repeated, SizeIs(1)) << "the broadcast; exp is too dear to repeat";
}

TEST_F(Fuse, AContractionBetweenTwoMapsKeepsThemApart) {
  const Value x = input("x", {8, 8}), y = ops::tanh(b, x);
  const Value z = ops::matmul(b, y, y);
  b.output("sum", ops::add(b, ops::tanh(b, z), y));
  EXPECT_THAT(fuse(), SizeIs(2));
}

TEST_F(Fuse, CheapMapsAreRepeatedRatherThanStored) {
  const Value x = input("x"), centred = ops::sub(b, x, 3);
  const Value sum = ops::reduce_sum(b, ops::mul(b, centred, centred), {0});
  b.output("y", ops::mul(b, centred, ops::broadcast_in_dim(b, sum, {8, 5}, {1})));
  const std::vector<Cluster> clusters = fuse();
  ASSERT_THAT(clusters, SizeIs(2));
  EXPECT_THAT(own(clusters[0]), ElementsAre("sub", "mul", "reduce"));
  EXPECT_THAT(own(clusters[1]), ElementsAre("mul"));
  EXPECT_THAT(clusters[1].repeated, SizeIs(3)) << "sub and both broadcasts";
}

TEST_F(Fuse, BroadcastsAreRepeatedByEachReaderAndStoredOnlyForOthers) {
  const Value row = input("row", {5}), x = input("x"), w = input("w", {5, 8});
  const Value wide = ops::broadcast_in_dim(b, row, {8, 5}, {1});
  b.output("a", ops::tanh(b, ops::add(b, x, wide)));
  const Value z = ops::matmul(b, wide, w);
  b.output("z", z);
  const std::vector<Cluster> clusters = fuse();
  ASSERT_THAT(clusters, SizeIs(2));
  EXPECT_THAT(own(clusters[0]), ElementsAre("broadcast_in_dim"));
  EXPECT_THAT(own(clusters[1]), ElementsAre("add", "tanh"));
}

TEST_F(Fuse, SquaresReplacePowers) {
  const Value x = input("x");
  const Value y = ops::pow(b, x, 2);
  b.output("y", y);
  const std::vector<Cluster> clusters = fuse();
  EXPECT_EQ(tape(clusters[0], {x}, {y}),
            "space [8, 5]\n%0 = f32 input 0 [0, 1]\n%1 = mul f32 %0 %0\nresult all %1\n");
}

}  // namespace
}  // namespace temper
