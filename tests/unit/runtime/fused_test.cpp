#include "runtime/fused.h"

#include <gtest/gtest.h>

#include "ir/builder.h"
#include "ops/composites.h"
#include "ops/primitives.h"

namespace temper {
namespace {

TEST(Fused, CountsWhatStaysInsideALaunch) {
  Program program;
  Builder b(program.graph);
  const Type type{DType::f32, {100}};
  const Value x = b.input("x", type), y = b.input("y", type);
  const Value sum = ops::add(b, x, y), square = ops::mul(b, sum, sum), root = ops::sqrt(b, sum);
  b.output("square", square);
  b.output("root", root);
  // All in one: reads x, y and writes both results; apart: 3 + 2 + 2 tensors.
  program.clusters = {{{sum.node, square.node, root.node}, "map"}};
  std::vector<FusedLaunch> launches = fused_launches(program);
  ASSERT_EQ(launches.size(), 1u);
  EXPECT_EQ(launches[0].nodes, 3);
  EXPECT_EQ(launches[0].bytes_apart, 7 * 400);
  EXPECT_EQ(launches[0].bytes_fused, 4 * 400);
  EXPECT_EQ(launches[0].bytes_saved(), 3 * 400);
  // The sum computed twice instead of stored: it counts once.
  program.clusters = {{{sum.node, square.node}, "map"}, {{sum.node, root.node}, "map", {sum.node}}};
  launches = fused_launches(program);
  ASSERT_EQ(launches.size(), 2u);
  EXPECT_EQ(launches[0].bytes_apart + launches[1].bytes_apart, 7 * 400);
  // Alone there is nothing to tell.
  program.clusters = {{{sum.node}, "map"}, {{square.node}, "map"}, {{root.node}, "map"}};
  EXPECT_TRUE(fused_launches(program).empty());
}

// Four rounds: x is cut, w read whole by each; the sum stays in a cache.
TEST(Fused, RoundsOverPartsReadAndWriteTheirEndsOnly) {
  Graph body;
  Builder inner(body);
  const Value part = inner.input("x", {DType::f32, {2, 50}}), w = inner.input("w", {DType::f32, {50}});
  const Value sum = ops::add(inner, part, ops::broadcast_in_dim(inner, w, {2, 50}, {1}));
  const Value scale = inner.input("scale", {DType::f32, {50}});
  const ops::BatchNormResult sums =
      ops::batch_norm_train(inner, sum, scale, scale, 1e-3);  // its y nobody reads
  inner.output("y", ops::tanh(inner, sum));
  inner.output("mean", sums.mean);
  Program program;
  Builder b(program.graph);
  const Value x = b.input("x", {DType::f32, {8, 50}}), v = b.input("w", {DType::f32, {50}});
  const Value y = ops::in_parts(b, std::move(body), {x}, {v, v}, 1, 4)[0];
  b.output("y", y);
  program.clusters = {{{y.node}, "in_parts"}};
  const std::vector<FusedLaunch> launches = fused_launches(program);
  ASSERT_EQ(launches.size(), 1u);
  EXPECT_EQ(launches[0].kind, "in_parts x 4");
  EXPECT_EQ(launches[0].nodes, 3);
  EXPECT_EQ(launches[0].bytes_apart, 5 * 1600 + 2 * 200 + 4 * 200);
  EXPECT_EQ(launches[0].bytes_fused, 2 * 1600 + 200 + 200);
}

TEST(Fused, ABroadcastIsReadAsItLies) {
  Program program;
  Builder b(program.graph);
  const Value x = b.input("x", {DType::f32, {50, 100}}), bias = b.input("bias", {DType::f32, {100}});
  const Value spread = ops::broadcast_in_dim(b, bias, {50, 100}, {1});
  const Value sum = ops::add(b, x, spread), y = ops::tanh(b, sum);
  b.output("y", y);
  program.clusters = {{{spread.node, sum.node, y.node}, "map", {spread.node}}};
  const std::vector<FusedLaunch> launches = fused_launches(program);
  ASSERT_EQ(launches.size(), 1u);
  EXPECT_EQ(launches[0].bytes_fused, 2 * 20000 + 400);
  EXPECT_EQ(launches[0].bytes_saved(), 2 * 20000);
}

}  // namespace
}  // namespace temper
