// Kernels over odd sizes, in both layouts, by one thread and by two, against the reference.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "devices/cpu/layout.h"
#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "run_cluster.h"
#include "tensor/compare.h"

namespace temper {
namespace {

using Build = std::function<void(Builder&)>;

void check(const Build& build, double tolerance = 2e-6) {
  Graph graph;
  Builder b(graph);
  build(b);
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs) inputs.push_back(filled(graph.type(port.value), inputs.size() + 1));
  const std::vector<Tensor> expected = interpret(graph, inputs);
  int rank = 0;
  for (const Node& node : graph.nodes()) rank = std::max(rank, node.outputs[0].shape.rank());
  for (int64_t layout : {cpu::kRowMajor, cpu::channels_last(rank)}) {
    const std::vector<Tensor> one = run_cluster(graph, inputs, layout, 1);
    const std::vector<Tensor> two = run_cluster(graph, inputs, layout, 2);
    for (size_t i = 0; i < expected.size(); ++i) {
      std::string why;
      double largest = 0;
      for (double value : to_doubles(expected[i])) largest = std::max(largest, std::abs(value));
      EXPECT_TRUE(close(one[i], expected[i], 0, tolerance * largest, &why))
          << "layout " << layout << ": " << why;
      EXPECT_EQ(std::memcmp(one[i].data(), two[i].data(), static_cast<size_t>(one[i].bytes())), 0) << layout;
    }
  }
}

Value input(Builder& b, Shape shape, DType dtype = DType::f32) {
  return b.input(concat("x", b.graph().inputs.size()), {dtype, std::move(shape)});
}

const Shape kPictures[]{{3, 5, 7, 9},   {2, 64, 17, 13}, {32, 3, 20, 21}, {1, 16, 1, 1},
                        {2, 300, 9, 9}, {5, 1, 8, 3},    {0, 4, 3, 3}};

TEST(Layouts, BatchNorm) {
  for (const Shape& shape : kPictures) {
    if (shape.elements() == 0) continue;  // no statistics of nothing
    SCOPED_TRACE(to_string(shape));
    const Shape channels{shape[1]};
    check(
        [&](Builder& b) {
          const auto r =
              ops::batch_norm_train(b, input(b, shape), input(b, channels), input(b, channels), 1e-3);
          b.output("y", r.y), b.output("mean", r.mean), b.output("variance", r.variance);
        },
        1e-5);
    check(
        [&](Builder& b) {
          const Value x = input(b, shape), scale = input(b, channels), mean = input(b, channels),
                      v = input(b, channels);
          const auto r = ops::batch_norm_grad(b, x, scale, mean, v, input(b, shape), 1.5);
          b.output("dx", r.dx), b.output("dscale", r.dscale), b.output("dbias", r.dbias);
        },
        1e-5);
    check([&](Builder& b) {
      const Value x = input(b, shape), scale = input(b, channels), bias = input(b, channels),
                  mean = input(b, channels);
      b.output("y", ops::batch_norm_infer(b, x, scale, bias, mean, input(b, channels), 1.5, 0.9));
    });
  }
}

TEST(Layouts, Pools) {
  const ops::Pool2d pools[]{
      {.window = {2, 2}, .strides = {2, 2}},
      {.window = {3, 3}, .strides = {2, 2}, .low = {1, 1}, .high = {1, 1}},
      {.window = {3, 2}, .strides = {1, 2}, .low = {1, 0}, .high = {0, 1}, .dilations = {2, 1}}};
  for (const Shape& shape : {Shape{2, 5, 11, 9}, Shape{2, 70, 12, 12}, Shape{0, 3, 8, 8}})
    for (const ops::Pool2d& pool : pools) {
      SCOPED_TRACE(to_string(shape));
      check([&](Builder& b) { b.output("y", ops::max_pool(b, input(b, shape), pool)); });
      for (bool count : {false, true}) {
        check([&](Builder& b) { b.output("y", ops::avg_pool(b, input(b, shape), pool, count)); });
        check([&](Builder& b) {
          Graph probe;
          Builder p(probe);
          const Shape pooled = p.shape(ops::avg_pool(p, input(p, shape), pool, count));
          b.output("dx", ops::avg_pool_grad(b, input(b, pooled), shape, pool, count));
        });
      }
      check([&](Builder& b) {
        Graph probe;
        Builder p(probe);
        const Shape pooled = p.shape(ops::max_pool(p, input(p, shape), pool));
        const Value x = input(b, shape);
        b.output("dx", ops::max_pool_grad(b, x, input(b, pooled), pool));
      });
    }
}

// Every way an operand can be broadcast over a picture.
TEST(Layouts, MapsWithBroadcastOperands) {
  for (const Shape& shape : kPictures) {
    SCOPED_TRACE(to_string(shape));
    check([&](Builder& b) {
      const Value x = input(b, shape), channel = input(b, {shape[1]}), row = input(b, {shape[2], shape[3]});
      const Value picture = input(b, {shape[0]}), place = input(b, {shape[0], shape[2]}), one = input(b, {});
      Value y = ops::mul(b, x, ops::broadcast_in_dim(b, channel, shape, {1}));
      y = ops::add(b, y, ops::broadcast_in_dim(b, row, shape, {2, 3}));
      y = ops::sub(b, ops::broadcast_in_dim(b, picture, shape, {0}), ops::tanh(b, y));
      y = ops::max(b, y, ops::broadcast_in_dim(b, place, shape, {0, 2}));
      y = ops::mul(b, y, ops::broadcast_in_dim(b, one, shape, {}));
      b.output("y", ops::add(b, y, ops::convert(b, ops::iota(b, DType::i32, shape, 3), DType::f32)));
    });
  }
}

TEST(Layouts, ReductionsOverEveryChoiceOfAxes) {
  for (const Shape& shape :
       {Shape{3, 5, 7, 9}, Shape{4, 33, 3, 70}, Shape{2, 1, 1, 2050}, Shape{600, 2, 3, 5}, Shape{3, 0, 2, 2}})
    for (int choice = 1; choice < 16; ++choice) {
      SCOPED_TRACE(concat(to_string(shape), " axes ", choice));
      Ints axes;
      for (int axis = 0; axis < 4; ++axis)
        if (choice >> axis & 1) axes.push_back(axis);
      check(
          [&](Builder& b) {
            const Value x = input(b, shape), y = ops::mul(b, x, ops::exp(b, x));
            b.output("product", y), b.output("sum", ops::reduce_sum(b, y, axes));
            if (shape.elements() > 0) b.output("max", ops::reduce_max(b, y, axes));
          },
          4e-6);
    }
}

TEST(Layouts, ReductionsOfEveryType) {
  for (DType dtype :
       {DType::f64, DType::f16, DType::bf16, DType::i8, DType::u8, DType::i32, DType::i64, DType::u64})
    for (const char* kind : {"sum", "max", "min", "prod"})
      for (const Ints& axes : {Ints{0}, Ints{1}, Ints{0, 1}}) {
        SCOPED_TRACE(concat(to_string(dtype), " ", kind));
        check([&](Builder& b) { b.output("y", ops::reduce(b, input(b, {37, 41}, dtype), axes, kind)); },
              dtype == DType::bf16  ? 1e-2
              : dtype == DType::f16 ? 1e-3
                                    : 1e-12);
      }
}

TEST(Layouts, MovesOfEveryWidth) {
  for (DType dtype : {DType::i8, DType::f16, DType::f32, DType::f64}) {
    const Shape shape{3, 37, 5, 34};
    check([&](Builder& b) {
      b.output("y", ops::slice(b, input(b, shape, dtype), {1, 2, 0, 3}, {3, 37, 5, 30}, {1, 3, 2, 1}));
    });
    check([&](Builder& b) { b.output("y", ops::reverse(b, input(b, shape, dtype), {1, 3})); });
    check([&](Builder& b) {
      const Value x = input(b, shape, dtype);
      b.output("y", ops::pad(b, x, input(b, {}, dtype), {1, -2, 0, 3}, {0, 2, -1, -4}, {0, 1, 0, 2}));
    });
    check([&](Builder& b) {
      const Value x = input(b, shape, dtype);
      b.output("y", ops::concat(b, {x, input(b, {3, 2, 5, 34}, dtype), x}, 1));
    });
  }
}

TEST(Layouts, TransposesOfEveryWidth) {
  for (DType dtype : {DType::i8, DType::bf16, DType::f32, DType::i64})
    for (const Ints& permutation : {Ints{2, 1, 0}, Ints{1, 0, 2}, Ints{0, 2, 1}, Ints{2, 0, 1}}) {
      Graph graph;
      Builder b(graph);
      b.output("y", ops::transpose(b, input(b, {33, 50, 67}, dtype), permutation));
      const std::vector<Tensor> inputs{filled(graph.type(graph.inputs[0].value), 1)};
      const std::vector<Tensor> found = run_cluster(graph, inputs, cpu::kRowMajor, 2),
                                expected = interpret(graph, inputs);
      EXPECT_EQ(std::memcmp(found[0].data(), expected[0].data(), static_cast<size_t>(found[0].bytes())), 0);
    }
}

TEST(Layouts, RowsOfAnyLength) {
  for (int64_t n : {1, 2, 15, 16, 17, 100, 1031, 5000}) {
    SCOPED_TRACE(n);
    const Shape shape{9, n};
    check([&](Builder& b) { b.output("y", ops::softmax(b, input(b, shape), 1)); });
    check([&](Builder& b) { b.output("y", ops::log_softmax(b, input(b, shape), 1)); });
    check(
        [&](Builder& b) {
          const Value x = input(b, shape), scale = input(b, {n});
          const auto r = ops::layer_norm(b, x, scale, input(b, {n}), 1, 1e-3);
          b.output("y", r.y), b.output("mean", r.mean), b.output("rstd", r.rstd);
        },
        2e-5);
    check(
        [&](Builder& b) {
          const Value x = input(b, shape), scale = input(b, {n}), mean = input(b, {9, 1}),
                      rstd = input(b, {9, 1});
          const auto r = ops::layer_norm_grad(b, x, scale, mean, rstd, input(b, shape), 1);
          b.output("dx", r.dx), b.output("dscale", r.dscale), b.output("dbias", r.dbias);
        },
        2e-5);
  }
}

TEST(Layouts, DropoutIsItsDecomposition) {
  for (const Shape& shape : {Shape{3}, Shape{101, 333}, Shape{4, 5, 6, 7}})
    check([&](Builder& b) {
      const Value x = input(b, shape);
      b.output("y", ops::dropout(b, x, input(b, {2}, DType::u32), 0.3, 77));
    });
}

}  // namespace
}  // namespace temper
