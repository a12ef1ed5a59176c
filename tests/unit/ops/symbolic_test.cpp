// Gradients emitted for a symbolic batch are those of the batch once it has a size.
#include <gtest/gtest.h>

#include "grad/gradient.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "ops/samples.h"
#include "passes/passes.h"
#include "tensor/compare.h"

namespace temper {
namespace {

using Make = Value (*)(Builder&, Value x, Value w);

// y and the gradients of x and w, of sum(y * y)
Graph with_gradients(Make make, const Shape& x_shape, const Shape& w_shape) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f64, x_shape}), w = b.input("w", {DType::f64, w_shape});
  const Value y = make(b, x, w);
  const std::vector<Value> wrt{x, w}, gradients = gradient(b, y, wrt, y);
  b.output("y", y);
  b.output("dx", gradients[0]);
  b.output("dw", gradients[1]);
  return graph;
}

void expect_equal_for_batch(Make make, const Shape& x_shape, const Shape& w_shape, const std::string& name) {
  constexpr int64_t kBatch = 3;
  SCOPED_TRACE(name);
  const Graph fixed = with_gradients(make, specialise(x_shape, {{"N", kBatch}}), w_shape);
  const Graph free = specialise(with_gradients(make, x_shape, w_shape), {{"N", kBatch}});
  verify(free);
  const Op named{.name = "symbolic"};
  const std::vector<Tensor> inputs = sample_inputs(
      named,
      {.name = name, .inputs = {fixed.type(fixed.inputs[0].value), fixed.type(fixed.inputs[1].value)}});
  const std::vector<Tensor> expected = interpret(fixed, inputs), found = interpret(free, inputs);
  for (size_t i = 0; i < expected.size(); ++i) {
    std::string why;
    EXPECT_TRUE(close(found[i], expected[i], 1e-12, 1e-12, &why)) << fixed.outputs[i].name << ": " << why;
  }
}

TEST(SymbolicPicture, HasTheGradientsOfItsSize) {
  const Shape picture{2, 3, Dim(4, "N"), Dim::symbol("N")};
  expect_equal_for_batch(
      [](Builder& b, Value x, Value w) {
        return ops::conv_general(b, x, w, {{2, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}});
      },
      picture, {4, 3, 3, 3}, "convolution");
  expect_equal_for_batch(
      [](Builder& b, Value x, Value w) {
        const Value y = ops::mul(b, x, w);
        return ops::reduce_window(b, y, {1, 1, 3, 2}, {1, 1, 2, 1}, {0, 0, 1, 1}, {0, 0, 0, 0}, {1, 1, 1, 1},
                                  "sum");
      },
      picture, {1, 3, 1, 1}, "sums of windows");
}

TEST(SymbolicBatch, HasTheGradientsOfItsSize) {
  const Dim n = Dim::symbol("N");
  expect_equal_for_batch([](Builder& b, Value x, Value w) { return ops::tanh(b, ops::mul(b, x, w)); }, {n, 4},
                         {4}, "map");
  expect_equal_for_batch([](Builder& b, Value x, Value w) { return ops::matmul(b, x, w); }, {n, 4}, {4, 2},
                         "matmul");
  expect_equal_for_batch(
      [](Builder& b, Value x, Value w) {
        return ops::conv_general(b, x, w, {{2, 2}, {1, 0}, {1, 1}, {1, 1}, {1, 1}});
      },
      {n, 3, 6, 5}, {4, 3, 3, 3}, "convolution");
  expect_equal_for_batch(
      [](Builder& b, Value x, Value w) { return ops::reduce_mean(b, ops::mul(b, x, w), {0, 1}); }, {n, 4},
      {4}, "mean over the batch");
  expect_equal_for_batch(
      [](Builder& b, Value x, Value w) { return ops::reduce_max(b, ops::mul(b, x, w), {0}); }, {n, 4}, {4},
      "maximum");
  expect_equal_for_batch(
      [](Builder& b, Value x, Value w) { return ops::reduce(b, ops::mul(b, x, w), {0}, "prod"); }, {n, 4},
      {4}, "product");
  expect_equal_for_batch(
      [](Builder& b, Value x, Value w) {
        return ops::mul(b, ops::transpose(b, ops::reshape(b, x, {b.shape(x)[0], 2, 3}), {2, 0, 1}), w);
      },
      {n, 6}, {2}, "moves");
  expect_equal_for_batch(
      [](Builder& b, Value x, Value w) {
        const Value part = ops::slice(b, x, {0, 1}, {ops::kEnd, 4}, {1, 2});
        return ops::concat(
            b, {ops::pad(b, part, b.scalar(DType::f64, 2), {0, 1}, {0, -1}, {0, 1}), ops::mul(b, x, w)}, 1);
      },
      {n, 4}, {4}, "cuts");
  expect_equal_for_batch(
      [](Builder& b, Value x, Value w) {
        const std::vector<Value> sorted = ops::sort(b, {x, ops::mul(b, x, w)}, 1, true);
        return ops::sub(b, sorted[0], ops::reverse(b, sorted[1], {0}));
      },
      {n, 4}, {4}, "sort");
  expect_equal_for_batch(
      [](Builder& b, Value x, Value w) {
        return ops::mul(b,
                        ops::reduce_window(b, x, {1, 1, 2, 2}, {1, 1, 2, 1}, {0, 0, 0, 1}, {0, 0, 1, 0},
                                           {1, 1, 1, 1}, "max"),
                        w);
      },
      {n, 2, 5, 4}, {4}, "pooling");
  expect_equal_for_batch(
      [](Builder& b, Value x, Value w) {
        const Value ids = b.constant(Tensor::from<int64_t>({3}, std::vector<int64_t>{3, 0, 3}));
        return ops::mul(b, ops::take(b, x, ids, 1), w);
      },
      {n, 4}, {3}, "take");
}

}  // namespace
}  // namespace temper
