#include "place/work.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "devices/null/null.h"
#include "ops/composites.h"
#include "ops/primitives.h"
#include "place/probes.h"
#include "runtime/compile.h"

namespace temper {
namespace {

Type f32(const Shape& shape) { return {DType::f32, shape}; }

const Work& only(const std::vector<Work>& works, std::string_view kind) {
  const auto found = std::ranges::find(works, kind, &Work::kind);
  EXPECT_NE(found, works.end()) << kind;
  EXPECT_EQ(std::ranges::count(works, kind, &Work::kind), 1) << kind;
  return *found;
}

TEST(Work, OfAProductAndWhatFollows) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", f32({8, 16})), w = b.input("w", f32({16, 32}));
  b.output("y", ops::tanh(b, ops::mul(b, ops::matmul(b, x, w), 2)));
  const std::vector<Work> works = works_of(graph);
  const Work& dot = only(works, "dot");
  EXPECT_EQ(dot.flops, 2 * 8 * 16 * 32);
  EXPECT_EQ(bytes_of(dot), 4 * (8 * 16 + 16 * 32 + 8 * 32));
  EXPECT_EQ(dot.place, (std::vector<double>{3, 5, 4, 0, 0, 0, 5, 4})) << "m, n, k";
  EXPECT_TRUE(is_contraction(dot));
  const Work& map = only(works, "map");
  EXPECT_EQ(map.functions, 8 * 32) << "tanh";
  EXPECT_EQ(bytes_of(map), 2 * 4 * 8 * 32) << "both maps in one pass";
  EXPECT_FALSE(is_contraction(map));
}

TEST(Work, OfConvolutionsAndTheirGradients) {
  Graph graph;
  Builder b(graph);
  const ops::Conv2d attributes{.strides = {2, 2}, .low = {1, 1}, .high = {1, 1}};
  const Value x = b.input("x", f32({2, 8, 16, 16})), w = b.input("w", f32({32, 8, 3, 3})),
              dy = b.input("dy", f32({2, 32, 8, 8}));
  b.output("y", ops::conv2d(b, x, w, {}, attributes));
  b.output("dx", ops::conv_input_grad(b, dy, w, {2, 8, 16, 16}, attributes));
  b.output("dw", ops::conv_weight_grad(b, x, dy, {32, 8, 3, 3}, attributes));
  const ops::Conv2d each{.low = {1, 1}, .high = {1, 1}, .groups = 8};
  b.output("z", ops::conv2d(b, x, b.input("v", f32({8, 1, 3, 3})), {}, each));
  const std::vector<Work> works = works_of(graph);
  const double pixels = 7, window = std::log2(9), stride = 2;
  EXPECT_EQ(only(works, "convolution").place, (std::vector<double>{pixels, 5, 3, window, stride, 0, 5, 3}));
  EXPECT_EQ(only(works, "input_grad").place, (std::vector<double>{pixels, 3, 5, window, stride, 0, 3, 5}));
  EXPECT_EQ(only(works, "weight_grad").place, (std::vector<double>{pixels, 5, 3, window, stride, 0, 5, 3}));
  EXPECT_EQ(only(works, "convolution_grouped").place, (std::vector<double>{9, 0, 0, window, 0, 3, 0, 0}));
}

// What was just made is near, an argument was last touched a whole run ago.
TEST(Work, KnowsHowLongAgo) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", f32({64, 64})), w = b.input("w", f32({64, 64})),
              v = b.input("v", f32({64, 64}));
  b.output("y", ops::matmul(b, ops::matmul(b, x, w), v));
  const double each = 4 * 64 * 64;
  const std::vector<Work> works = works_of(graph);
  ASSERT_EQ(works.size(), 2u);
  EXPECT_EQ(works[1].traffic[0].distance, 3 * each) << "no less than the launch's own";
  EXPECT_GE(works[1].traffic[1].distance, 6 * each);
}

TEST(Work, CountsTheRoundsOfALoop) {
  Graph body;
  {
    Builder b(body);
    const Value carry = b.input("carry", f32({4, 4})), w = b.input("w", f32({4, 4}));
    b.output("carry", ops::tanh(b, ops::matmul(b, carry, w)));
  }
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", f32({4, 4})), w = b.input("w", f32({4, 4}));
  b.output("y", ops::scan(b, body, {x}, {}, {w}, 9)[0]);
  EXPECT_EQ(only(works_of(graph), "dot").rounds, 9);
}

// Every probe compiles, for a device that takes all; none has no work.
TEST(Work, OfEachProbe) {
  const std::unique_ptr<Device> device = null::null_device().open("");
  for (const Probe& probe : probes()) {
    const std::unique_ptr<Executable> executable = compile(*device, probe.graph);
    const std::vector<Work> works = works_of(*executable);
    EXPECT_GE(works.size(), 2u) << probe.name;
    EXPECT_EQ(works.back().kind, "run");
    for (const Work& work : works)
      for (const Traffic& traffic : work.traffic) {
        EXPECT_GT(traffic.bytes, 0) << probe.name;
        EXPECT_GE(traffic.distance, traffic.bytes) << probe.name;
      }
  }
}

}  // namespace
}  // namespace temper
