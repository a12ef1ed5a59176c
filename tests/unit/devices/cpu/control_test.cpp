// Control flow, and every sample of the ops that belong to the executor.
#include <gmock/gmock.h>

#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "ops/registry.h"
#include "ops/samples.h"
#include "run.h"

namespace temper {

namespace {

double tolerance(const Sample& sample, DType dtype) {
  const double usual = dtype == DType::f16    ? 2e-3
                       : dtype == DType::bf16 ? 1.6e-2
                       : dtype == DType::f64  ? 1e-12
                                              : 2e-6;
  return std::max(sample.tolerance, usual);
}

}  // namespace

TEST(Samples, OfWhatTheExecutorOwnsAgreeWithTheReference) {
  for (const char* name : {"call", "scan", "in_parts", "cond", "while_loop", "dot_general", "conv_general",
                           "conv2d", "conv_input_grad", "conv_weight_grad"}) {
    EXPECT_FALSE(op(name).samples().empty());
    for (const Sample& sample : op(name).samples()) {
      SCOPED_TRACE(std::string(name) + ": " + sample.name);
      const Graph graph = sample_graph(op(name), sample);
      const std::vector<Tensor> inputs = sample_inputs(op(name), sample);
      const std::vector<Tensor> found = run(graph, inputs, {.threads = 2});
      expect_close(found, interpret(graph, inputs), tolerance(sample, found[0].dtype()));
      expect_same_bits(found, run(graph, inputs, {.threads = 1}));
    }
  }
}

TEST(Control, RunsLoopsOfEveryLength) {
  for (const int64_t length : {0, 1, 2, 5})
    for (const bool backward : {false, true}) {
      SCOPED_TRACE(length);
      Graph body;
      Builder inner(body);
      const Type row{DType::f32, {3}};
      const Value sum = inner.input("sum", row), x = inner.input("x", row), w = inner.input("w", row);
      const Value next = ops::add(inner, ops::mul(inner, sum, w), x);
      inner.output("sum", next);
      inner.output("seen", ops::exp(inner, sum));
      Graph graph;
      Builder b(graph);
      const Value start = b.input("start", row), xs = b.input("xs", {DType::f32, {length, 3}}),
                  c = b.input("w", row);
      const std::vector<Value> results = ops::scan(b, body, {start}, {xs}, {c}, length, backward);
      b.output("sum", results[0]);
      if (length != 2) b.output("seen", results[1]);
      std::vector<Tensor> inputs;
      for (const Port& port : graph.inputs)
        inputs.push_back(filled(graph.type(port.value), inputs.size() + 1));
      expect_close(run(graph, inputs), interpret(graph, inputs), 1e-6);
    }
}

// Rounds that pass nothing on run side by side, each with its own memory.
TEST(Control, RoundsAloneGiveTheSameBitsOnAnyTeamAndReadWeightsAsTheyLie) {
  Graph body;
  {
    Builder b(body);
    const Value x = b.input("x", {DType::f32, {1, 16, 9, 9}}), w = b.input("w", {DType::f32, {32, 16, 3, 3}}),
                v = b.input("v", {DType::f32, {32, 1, 3, 3}});
    const Value y = ops::max(b, ops::conv2d(b, x, w, {}, {.low = {1, 1}, .high = {1, 1}}), 0);
    b.output("y", ops::conv2d(b, y, v, {}, {.low = {1, 1}, .high = {1, 1}, .groups = 32}));
  }
  Graph graph;
  Builder b(graph);
  const Value xs = b.input("xs", {DType::f32, {7, 1, 16, 9, 9}}),
              w = b.input("w", {DType::f32, {32, 16, 3, 3}}), v = b.input("v", {DType::f32, {32, 1, 3, 3}});
  b.output("y", ops::scan(b, body, {}, {xs}, {w, v}, 7)[0]);
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs) inputs.push_back(filled(graph.type(port.value), inputs.size()));
  const std::vector<Tensor> expected = interpret(graph, inputs);
  const std::vector<Tensor> alone = run(graph, inputs, {.threads = 1});
  expect_close(alone, expected, 1e-5);
  for (const int threads : {2, 3, 16}) expect_same_bits(run(graph, inputs, {.threads = threads}), alone);

  const auto executable = load(graph, {.threads = 2});
  EXPECT_NE(executable->program().inputs[1].layout, 0);
  int convolutions = 0;
  const std::vector<int64_t> slices{2 * byte_size({DType::f32, {7, 16, 9, 9}}),
                                    2 * byte_size({DType::f32, {7, 32, 9, 9}})};
  for (const LaunchProfile& launch : executable->launches()) {
    convolutions += launch.kind.starts_with("conv2d");
    if (launch.kind == "reorder") EXPECT_THAT(slices, testing::Contains(launch.bytes));  // no weights
  }
  EXPECT_EQ(convolutions, 2);
}

// The passes on the way to launches ask about nodes by their place: in a body, by their place in the body.
TEST(Control, BodiesAreGraphsOfTheirOwn) {
  Graph body;
  {
    Builder b(body);
    const Value x = b.input("x", {DType::f32, {4, 8}}), w = b.input("w", {DType::f32, {8, 8}}),
                scale = b.input("scale", {DType::f32, {8}});
    const Value norm = ops::rms_norm(b, ops::mul(b, x, 3), scale, 1, 1e-5);  // no kernel: it decomposes
    b.output("y", ops::matmul(b, ops::mul(b, norm, 0.25), w));               // scaled after the product
  }
  Graph graph;
  Builder b(graph);
  const Value xs = b.input("xs", {DType::f32, {6, 4, 8}}), w = b.input("w", {DType::f32, {8, 8}}),
              scale = b.input("scale", {DType::f32, {8}});
  b.output("y", ops::scan(b, body, {}, {xs}, {w, scale}, 6)[0]);
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs) inputs.push_back(filled(graph.type(port.value), inputs.size() + 1));
  expect_close(run(graph, inputs, {.threads = 2}), interpret(graph, inputs), 1e-5);
}

TEST(Control, ProfilesWhatABodyDoes) {
  Graph body;
  {
    Builder b(body);
    const Value x = b.input("x", {DType::f32, {64}});
    b.output("y", ops::exp(b, x));
  }
  Graph graph;
  Builder b(graph);
  b.output("y", ops::scan(b, body, {}, {b.input("xs", {DType::f32, {5, 64}})}, {}, 5)[0]);
  const auto executable = load(graph, {.threads = 2});
  const auto context = executable->make_context();
  context->set_profiling(true);
  std::vector<Tensor> arguments{filled({DType::f32, {5, 64}}, 1)}, results(1);
  executable->run(*context, arguments, results);
  const std::vector<LaunchProfile> profile = context->profile();
  ASSERT_EQ(profile.size(), 1u);
  EXPECT_EQ(profile[0].runs, 1);
  EXPECT_EQ(profile[0].flops, 5 * 64);
  EXPECT_EQ(profile[0].bytes, 2 * 5 * 64 * 4);
  EXPECT_GT(profile[0].seconds, 0);
}

}  // namespace temper
