#include "base/text.h"
#include "devices/cpu/layout.h"
#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "run.h"

namespace temper {

namespace {

// oneDNN's kernels for AVX-512 multiply bf16 and name the layouts of packed matrices.
bool has_wide_kernels() { return processor().facts().target.facts.at("isa").starts_with("avx512"); }

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

TEST(Matmul, TakesGeluIn) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f64})
    for (const bool approximate : {false, true}) {
      SCOPED_TRACE(concat(to_string(dtype), approximate ? ", by tanh" : ""));
      Graph graph;
      Builder b(graph);
      const Value x = b.input("x", {dtype, {9, 30}}), w = b.input("w", {dtype, {30, 20}}),
                  bias = b.input("bias", {dtype, {20}});
      b.output("y", ops::gelu(b, ops::add(b, ops::matmul(b, x, w), bias), approximate));
      const auto executable = load(graph);
      if (dtype != DType::bf16 || has_wide_kernels()) EXPECT_EQ(executable->launches().size(), 1);
      std::vector<Tensor> inputs;
      for (const Port& port : graph.inputs) inputs.push_back(filled(graph.type(port.value), inputs.size()));
      expect_close(run(*executable, inputs), interpret(graph, inputs), dtype == DType::bf16 ? 1e-2 : 2e-6);
    }
}

// A matrix that only one product reads lies in its kernel's blocks, filled up with zeros, where the kernel
// has such; others stay as they are.
TEST(Matmul, ReadsPackedMatrices) {
  const bool packs = has_wide_kernels();
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const bool turned : {false, true})
      for (const int64_t rows : {1, 7, 64}) {
        SCOPED_TRACE(concat(to_string(dtype), ", ", rows, turned ? " rows, turned" : " rows"));
        Graph graph;
        Builder b(graph);
        const Value x = b.input("x", {dtype, {2, rows, 70}}),
                    w = b.input("w", turned ? Type{dtype, {33, 70}} : Type{dtype, {70, 33}});
        const Value y = ops::dot_general(b, x, w, {{}, {}, {2}, {turned ? 1 : 0}});
        b.output("y", ops::max(b, y, 0));
        const auto executable = load(graph);
        EXPECT_EQ(cpu::is_permutation(executable->program().inputs[1].layout), !packs);
        if (packs) EXPECT_EQ(executable->launches().size(), 1);  // nothing moves it back
        const std::vector<Tensor> inputs{filled(graph.type(x), 1), filled(graph.type(w), 2)};
        expect_close(run(*executable, inputs), interpret(graph, inputs), dtype == DType::bf16 ? 1e-2 : 1e-6);
        b.output("w", w);
        EXPECT_EQ(load(graph)->program().inputs[1].layout, cpu::kRowMajor);
        expect_close(run(graph, inputs), interpret(graph, inputs), dtype == DType::bf16 ? 1e-2 : 1e-6);
      }
}

// Sizes beyond every block of the kernels, and none a multiple of one; operands turned or not.
TEST(Matmul, GoesThroughLargeMatricesInBlocks) {
  const int64_t rows = 205, columns = 1045, depth = 530;
  for (const bool x_turned : {false, true})
    for (const bool y_turned : {false, true}) {
      SCOPED_TRACE(concat(x_turned ? "x turned" : "x", y_turned ? ", y turned" : ", y"));
      Graph graph;
      Builder b(graph);
      const Value x = b.input("x", {DType::f32, x_turned ? Shape{depth, rows} : Shape{rows, depth}}),
                  y = b.input("y", {DType::f32, y_turned ? Shape{columns, depth} : Shape{depth, columns}});
      const Value z = ops::dot_general(b, x, y, {{}, {}, {x_turned ? 0 : 1}, {y_turned ? 1 : 0}});
      const Value bias = ops::broadcast_in_dim(b, b.input("bias", {DType::f32, {columns}}), b.shape(z), {1});
      const Value other = b.input("other", {DType::f32, {rows, columns}});
      b.output("z", ops::relu(b, ops::add(b, ops::gelu(b, ops::add(b, z, bias), false), other)));
      std::vector<Tensor> inputs;
      for (const Port& port : graph.inputs) inputs.push_back(filled(graph.type(port.value), inputs.size()));
      const std::vector<Tensor> found = run(graph, inputs, {.threads = 1});
      expect_close(found, interpret(graph, inputs), 3e-6);
      for (const int threads : {2, 3, 8}) expect_same_bits(run(graph, inputs, {.threads = threads}), found);
    }
}

TEST(Matmul, TakesANumberIn) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {6, 7}}), y = b.input("y", {DType::f32, {7, 5}});
  const Value scaled = ops::mul(b, x, 0.25);  // moves behind both products
  b.output("z", ops::matmul(b, scaled, y));
  b.output("square", ops::dot_general(b, scaled, scaled, {{}, {}, {1}, {1}}));
  const auto executable = load(graph);
  EXPECT_EQ(executable->program().clusters.size(), 2u);
  const std::vector<Tensor> inputs{filled(graph.type(x), 1), filled(graph.type(y), 2)};
  expect_close(run(*executable, inputs), interpret(graph, inputs), 1e-6);
}

TEST(Matmul, WritesTheOrderThatIsReadNext) {
  Graph graph;
  Builder b(graph);
  const Type type{DType::f32, {2, 5, 3, 4}};  // [batch, time, heads, features]
  const Value x = ops::transpose(b, b.input("x", type), {0, 2, 1, 3}),
              y = ops::transpose(b, b.input("y", type), {0, 2, 3, 1}),
              z = ops::transpose(b, b.input("z", type), {0, 2, 1, 3});
  const Value result = ops::matmul(b, ops::matmul(b, x, y), z);
  b.output("result", ops::neg(b, ops::reshape(b, ops::transpose(b, result, {0, 2, 1, 3}), {10, 12})));
  const auto executable = load(graph);
  const std::vector<Tensor> inputs{filled(type, 1), filled(type, 2), filled(type, 3)};
  expect_close(run(*executable, inputs), interpret(graph, inputs), 1e-6);
  const auto context = executable->make_context();
  context->set_profiling(true);
  const Program& program = executable->program();
  std::vector<Tensor> arguments, results(program.outputs.size());
  for (size_t k = 0; k < inputs.size(); ++k)
    arguments.push_back(upload(processor(), inputs[k], program.inputs[k]));
  executable->run(*context, arguments, results);
  EXPECT_EQ(context->profile().size(), 3u);  // two products and a map
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
