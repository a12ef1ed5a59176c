#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "run.h"

namespace temper {

namespace {

void check_dot(const Type& x, const Type& y, const ops::DotDims& dims, double tolerance) {
  Graph graph;
  Builder b(graph);
  const Value left = b.input("x", x), right = b.input("y", y);
  b.output("z", ops::dot_general(b, left, right, dims));
  const std::vector<Tensor> inputs{filled(x, 1), filled(y, 2)};
  expect_close(run(graph, inputs), interpret(graph, inputs), tolerance);
}

}  // namespace

TEST(Matmul, AgreesWithTheReferenceForEveryOrderOfAxes) {
  check_dot({DType::f32, {7, 5}}, {DType::f32, {5, 9}}, {{}, {}, {1}, {0}}, 1e-6);
  check_dot({DType::f32, {5, 7}}, {DType::f32, {9, 5}}, {{}, {}, {0}, {1}}, 1e-6);
  check_dot({DType::f32, {3, 7, 5}}, {DType::f32, {3, 5, 9}}, {{0}, {0}, {2}, {1}}, 1e-6);
  check_dot({DType::f32, {7, 3, 5}}, {DType::f32, {5, 9, 3}}, {{1}, {2}, {2}, {0}}, 1e-6);
  check_dot({DType::f32, {2, 3, 4, 5}}, {DType::f32, {2, 5, 3, 6}}, {{0}, {0}, {3, 1}, {1, 2}}, 1e-6);
  check_dot({DType::f32, {4}}, {DType::f32, {4}}, {{}, {}, {0}, {0}}, 1e-6);
  check_dot({DType::f32, {4}}, {DType::f32, {3}}, {{}, {}, {}, {}}, 1e-6);
  check_dot({DType::f32, {1, 6}}, {DType::f32, {6, 1}}, {{}, {}, {1}, {0}}, 1e-6);
  check_dot({DType::f32, {3, 0}}, {DType::f32, {0, 2}}, {{}, {}, {1}, {0}}, 1e-6);
}

TEST(Matmul, TakesEveryNumber) {
  for (const DType dtype : {DType::f64, DType::i64, DType::i32, DType::u8})
    check_dot({dtype, {7, 5}}, {dtype, {5, 9}}, {{}, {}, {1}, {0}}, 1e-12);
  check_dot({DType::bf16, {7, 50}}, {DType::bf16, {50, 9}}, {{}, {}, {1}, {0}}, 1e-2);
  check_dot({DType::f16, {7, 50}}, {DType::f16, {50, 9}}, {{}, {}, {1}, {0}}, 1e-3);
}

TEST(Matmul, TakesBiasActivationAndSumIn) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Graph graph;
    Builder b(graph);
    const Type result{dtype, {8, 20}};
    const Value x = b.input("x", {dtype, {8, 30}}), w = b.input("w", {dtype, {30, 20}});
    const Value bias = b.input("bias", {dtype, {20}}), more = b.input("more", result);
    Value y = ops::add(b, ops::matmul(b, x, w), bias);
    y = ops::relu(b, ops::add(b, y, more));
    b.output("y", ops::sigmoid(b, y));
    const auto executable = load(graph);
    EXPECT_EQ(executable->program().clusters.front().nodes.size(), 5u);
    std::vector<Tensor> inputs;
    for (const Port& port : graph.inputs) inputs.push_back(filled(graph.type(port.value), inputs.size()));
    expect_close(run(*executable, inputs), interpret(graph, inputs), 1e-6);
  }
}

TEST(Matmul, GivesTheSameBitsForOneAndTwoThreads) {
  for (const int64_t depth : {64, 1000, 4096, 50000}) {
    Graph graph;
    Builder b(graph);
    const Type x{DType::f32, {33, depth}}, y{DType::f32, {depth, 70}};
    const Value left = b.input("x", x), right = b.input("y", y);
    b.output("z", ops::matmul(b, left, right));
    const std::vector<Tensor> inputs{filled(x, 1), filled(y, 2)};
    expect_same_bits(run(graph, inputs, {.threads = 1}), run(graph, inputs, {.threads = 2}));
  }
}

}  // namespace temper
