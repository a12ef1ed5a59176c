#include "target/cost.h"

#include <gtest/gtest.h>

#include "ops/composites.h"
#include "ops/primitives.h"

namespace temper {

TEST(Cost, CountsMultiplyAndAddAsTwo) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {5, 7}}), y = b.input("y", {DType::f32, {7, 3}});
  const Value z = ops::matmul(b, x, y);
  EXPECT_EQ(flops(graph, graph.node(z)), 2 * 5 * 7 * 3);
  EXPECT_EQ(bytes_moved(graph, graph.node(z)), 4 * (5 * 7 + 7 * 3 + 5 * 3));
  EXPECT_EQ(flops(graph), 2 * 5 * 7 * 3);
}

TEST(Cost, OfAConvolutionEqualsThatOfItsGradients) {
  Graph graph;
  Builder b(graph);
  const Shape xs{2, 8, 10, 10}, ws{6, 4, 3, 3};
  const ops::Conv2d attributes{.strides = {2, 2}, .low = {1, 1}, .high = {1, 1}, .groups = 2};
  const Value x = b.input("x", {DType::f32, xs}), w = b.input("w", {DType::f32, ws});
  const Value y = ops::conv2d(b, x, w, {}, attributes);
  const Value dx = ops::conv_input_grad(b, y, w, xs, attributes);
  const Value dw = ops::conv_weight_grad(b, x, y, ws, attributes);
  const int64_t expected = 2 * (2 * 6 * 5 * 5) * (4 * 3 * 3);
  EXPECT_EQ(flops(graph, graph.node(y)), expected);
  EXPECT_EQ(flops(graph, graph.node(dx)), expected);
  EXPECT_EQ(flops(graph, graph.node(dw)), expected);
}

}  // namespace temper
