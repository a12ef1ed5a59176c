// A widening convolution and the depthwise one behind it, as one kernel.
#include "devices/cpu/expansion.h"

#include <algorithm>

#include "ops/composites.h"
#include "ops/primitives.h"
#include "passes/passes.h"
#include "run.h"

namespace temper {

namespace {

struct Case {
  std::string name;
  Dim batch;
  int64_t in, channels, rows, columns;
  Shape window;
  ops::Conv2d attributes;
  bool biased = true, bounded = true;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const Case& usual() {
  static const Case usual{"stride 1", 1, 16, 96, 105, 105, {3, 3}, {.low = {1, 1}, .high = {1, 1}}};
  return usual;
}

// `apart`: what is between leaves the graph, so that nobody may keep it to himself.
Graph network(const Case& c, bool apart = false) {
  Graph graph;
  Builder b(graph);
  const auto parameter = [&](const char* name, const Shape& shape) {
    return b.input(name, {DType::f32, shape});
  };
  const auto bias = [&](const char* name) { return c.biased ? parameter(name, {c.channels}) : Value(); };
  const auto bounded = [&](Value value) {
    return c.bounded ? ops::min(b, ops::max(b, value, 0), 0.75) : value;
  };
  const Value x = b.input("x", {DType::f32, {c.batch, c.in, c.rows, c.columns}});
  const Value w = parameter("w", {c.channels, c.in, 1, 1});
  const Value between = bounded(ops::conv2d(b, x, w, bias("bias"), {}));
  const Value window = parameter("window", {c.channels, 1, c.window.size(0), c.window.size(1)});
  ops::Conv2d attributes = c.attributes;
  attributes.groups = c.channels;
  b.output("y", bounded(ops::conv2d(b, between, window, bias("bias of the window"), attributes)));
  if (apart) b.output("between", between);
  return graph;
}

std::vector<Tensor> inputs_of(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs) inputs.push_back(filled(graph.type(port.value), inputs.size() + 1));
  return inputs;
}

bool is_one_kernel(const Executable& executable) {
  return std::ranges::any_of(executable.launches(), [](const LaunchProfile& launch) {
    return launch.kind.starts_with("conv2d") && launch.kind.find("+conv2d") != std::string::npos;
  });
}

class Expansion : public testing::TestWithParam<Case> {};

TEST_P(Expansion, SaysWhatTwoKernelsSay) {
  const Case& c = GetParam();
  const std::vector<Tensor> inputs = inputs_of(network(c));
  const auto two = load(network(c, true));
  ASSERT_FALSE(is_one_kernel(*two));
  const std::vector<Tensor> expected{run(*two, inputs)[0]};
  std::vector<Tensor> first;
  for (const int threads : {1, 2, 5}) {
    const auto one = load(network(c), {.threads = threads});
    ASSERT_TRUE(is_one_kernel(*one));
    const std::vector<Tensor> found = run(*one, inputs);
    expect_close(found, expected, 1e-5);
    if (first.empty()) first = found;
    expect_same_bits(found, first);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Expansion,
    testing::Values(
        usual(),
        Case{"stride 2", 2, 24, 144, 87, 85, {3, 3}, {.strides = {2, 2}, .low = {1, 1}, .high = {1, 1}}},
        Case{"padded at the end", 3, 16, 96, 105, 106, {3, 3}, {.strides = {2, 2}, .high = {1, 1}}},
        Case{"large window", 1, 32, 112, 98, 99, {7, 5}, {.low = {3, 1}, .high = {2, 4}}},
        Case{"window of a line", 1, 16, 96, 105, 105, {1, 3}, {.low = {0, 1}, .high = {0, 1}}},
        Case{"rows left out", 1, 16, 96, 105, 105, {1, 1}, {.strides = {3, 2}}},
        Case{"no bias", 2, 16, 96, 105, 105, {3, 3}, {.low = {1, 1}, .high = {1, 1}}, false},
        Case{"no bounds", 2, 16, 96, 105, 105, {3, 3}, {.low = {1, 1}, .high = {1, 1}}, true, false},
        Case{"window wider than the picture", 1, 2, 16384, 33, 2, {3, 5}, {.low = {1, 2}, .high = {1, 2}}}));

TEST(Expansion, ServesAllPartsOfABatch) {
  Case c = usual();
  c.batch = Dim::symbol("N");
  const Graph whole = network(c);
  const Graph graph = specialise_in_parts(whole, {{"N", 6}}, {.values = 12 << 20});
  ASSERT_TRUE(std::ranges::any_of(graph.nodes(), [](const Node& node) { return !node.regions.empty(); }));
  const std::vector<Tensor> inputs = inputs_of(graph);
  c.batch = 6;
  const std::vector<Tensor> expected = run(network(c), inputs);
  for (const int threads : {1, 2, 5}) {
    const auto parts = load(graph, {.threads = threads});
    EXPECT_TRUE(is_one_kernel(*parts));
    expect_same_bits(run(*parts, inputs), expected);
  }
}

// Small pictures stay in a cache; a sum in between is for oneDNN.
TEST(Expansion, IsForLargePicturesAndBounds) {
  Case small = usual();
  small.rows = small.columns = 56;
  EXPECT_FALSE(is_one_kernel(*load(network(small))));
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {1, 16, 112, 112}}),
              w = b.input("w", {DType::f32, {96, 16, 1, 1}}),
              window = b.input("window", {DType::f32, {96, 1, 3, 3}});
  const Value between = ops::sigmoid(b, ops::conv2d(b, x, w, {}, {}));
  b.output("y", ops::conv2d(b, between, window, {}, {.low = {1, 1}, .high = {1, 1}, .groups = 96}));
  EXPECT_FALSE(is_one_kernel(*load(graph)));
}

}  // namespace

}  // namespace temper
