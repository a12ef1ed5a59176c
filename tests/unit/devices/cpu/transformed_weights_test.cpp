// Weights of 3 x 3 windows that lie transformed where one program alone reads them.
#include <algorithm>

#include "devices/cpu/layout.h"
#include "devices/cpu/winograd.h"
#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "passes/passes.h"
#include "run.h"

namespace temper {

namespace {

struct Case {
  std::string name;
  Dim batch;
  int64_t in, out, size;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

// What a step of a residual block computes: y = clip(conv(x, w) + bias + z).
Graph block(const Case& c) {
  Graph graph;
  Builder b(graph);
  const Shape result{c.batch, c.out, c.size, c.size};
  const Value x = b.input("x", {DType::f32, {c.batch, c.in, c.size, c.size}}),
              w = b.input("w", {DType::f32, {c.out, c.in, 3, 3}}),
              bias = b.input("bias", {DType::f32, {c.out}}), z = b.input("z", {DType::f32, result});
  const Value y = ops::conv2d(b, x, w, bias, {.low = {1, 1}, .high = {1, 1}});
  b.output("y", ops::min(b, ops::max(b, ops::add(b, y, z), 0), 6));
  return graph;
}

std::vector<Tensor> inputs_of(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs) inputs.push_back(filled(graph.type(port.value), inputs.size() + 1));
  return inputs;
}

int64_t layout_of_weights(const Executable& executable) {
  const auto& inputs = executable.program().inputs;
  return std::ranges::find(inputs, "w", &Argument::name)->layout;
}

bool is_winograd(const Executable& executable) {
  return std::ranges::any_of(executable.launches(), [](const LaunchProfile& launch) {
    return launch.kind.find("winograd") != std::string::npos;
  });
}

class TransformedWeights : public testing::TestWithParam<Case> {};

TEST_P(TransformedWeights, GiveTheBitsOfThoseTransformedInEachRun) {
  const Graph graph = block(GetParam());
  const std::vector<Tensor> inputs = inputs_of(graph);
  const auto shared = load(graph, {.threads = 2});
  ASSERT_TRUE(is_winograd(*shared));
  EXPECT_EQ(layout_of_weights(*shared), cpu::winograd_weight_layout());
  const std::vector<Tensor> expected = run(*shared, inputs);
  for (const int threads : {1, 2, 3}) {
    const auto alone = load(graph, {.threads = threads, .sole_reader = true});
    EXPECT_EQ(layout_of_weights(*alone), cpu::kTransformed);
    expect_same_bits(run(*alone, inputs), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, TransformedWeights,
                         testing::Values(Case{"whole tiles", 2, 64, 64, 16},
                                         Case{"tiles over the edge", 3, 64, 80, 15},
                                         Case{"many channels", 20, 256, 128, 7}));

TEST(TransformedWeights, PayForFewerTiles) {
  const Graph graph = block({"", 1, 256, 256, 14});
  const std::vector<Tensor> inputs = inputs_of(graph);
  EXPECT_FALSE(is_winograd(*load(graph)));
  const auto alone = load(graph, {.sole_reader = true});
  EXPECT_TRUE(is_winograd(*alone));
  // A plain sum of n such terms in f32 is wrong by 6e-9 n, by ten times that at worst.
  expect_close(run(*alone, inputs), interpret(graph, inputs), 1.5e-7 * 9 * 256);
}

TEST(TransformedWeights, AreCountedAsArguments) {
  const Graph graph = block({"", 2, 64, 64, 16});
  const int64_t shared = load(graph)->program().memory.arguments,
                alone = load(graph, {.sole_reader = true})->program().memory.arguments;
  EXPECT_EQ(alone - shared, cpu::transformed_bytes({64, 64, 3, 3}) - 64 * 64 * 9 * 4);
  EXPECT_GE(cpu::transformed_bytes({64, 64, 3, 3}), 64 * 64 * 36 * 4);
}

TEST(TransformedWeights, AreWantedByNobodyElse) {
  const Case c{"", 2, 64, 64, 16};
  const auto layout_with = [&](auto more) {
    Graph graph = block(c);
    Builder b(graph);
    more(b, graph);
    const auto alone = load(graph, {.sole_reader = true});
    const std::vector<Tensor> inputs = inputs_of(graph);
    expect_close(run(*alone, inputs), interpret(graph, inputs), 1e-4);
    return layout_of_weights(*alone);
  };
  const auto value = [](const Graph& graph, const char* name) { return graph.find_input(name); };
  EXPECT_EQ(layout_with([](Builder&, Graph&) {}), cpu::kTransformed);
  EXPECT_NE(layout_with([&](Builder& b, Graph& graph) { b.output("w", value(graph, "w")); }),
            cpu::kTransformed);
  EXPECT_NE(layout_with([&](Builder& b, Graph& graph) { b.output("e", ops::exp(b, value(graph, "w"))); }),
            cpu::kTransformed);
  EXPECT_NE(layout_with([&](Builder& b, Graph& graph) {
              b.output("strided",
                       ops::conv2d(b, value(graph, "x"), value(graph, "w"), {}, {.strides = {2, 2}}));
            }),
            cpu::kTransformed);
}

// A sigmoid ends inside oneDNN's kernel, not in this one.
TEST(TransformedWeights, AreNotForWhatTheKernelCannotFollow) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2, 64, 16, 16}}), w = b.input("w", {DType::f32, {64, 64, 3, 3}});
  b.output("y", ops::sigmoid(b, ops::conv2d(b, x, w, {}, {.low = {1, 1}, .high = {1, 1}})));
  const auto alone = load(graph, {.sole_reader = true});
  EXPECT_NE(layout_of_weights(*alone), cpu::kTransformed);
  const std::vector<Tensor> inputs = inputs_of(graph);
  expect_close(run(*alone, inputs), interpret(graph, inputs), 1e-4);
}

TEST(TransformedWeights, ServeAllPartsOfABatch) {
  const Graph graph =
      specialise_in_parts(block({"", Dim::symbol("N"), 64, 64, 16}), {{"N", 12}}, {.values = 1 << 20});
  ASSERT_TRUE(std::ranges::any_of(graph.nodes(), [](const Node& node) { return !node.regions.empty(); }));
  const std::vector<Tensor> inputs = inputs_of(graph);
  const std::vector<Tensor> expected = run(graph, inputs, {.threads = 2});
  for (const int threads : {1, 2, 5}) {
    const auto alone = load(graph, {.threads = threads, .sole_reader = true});
    EXPECT_EQ(layout_of_weights(*alone), cpu::kTransformed);
    EXPECT_TRUE(is_winograd(*alone));
    expect_close(run(*alone, inputs), expected, 1e-5);
  }
}

}  // namespace

}  // namespace temper
