// Kernels as text against tests/golden/kernels; TEMPER_WRITE_GOLDEN=1 writes it anew.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "codegen/dialect.h"
#include "codegen/fuse.h"
#include "codegen/node_text.h"
#include "codegen/tape_text.h"
#include "ops/primitives.h"
#include "support/data.h"

namespace temper {
namespace {

class KernelTexts : public testing::Test {
 protected:
  Value input(std::string_view name, const Shape& shape, DType dtype = DType::f32) {
    return b.input(name, {dtype, shape});
  }

  // Every cluster of maps and every other node of the graph, in the order of their last nodes.
  std::string text() const {
    std::vector<bool> taken;
    for (const Node& node : graph.nodes())
      taken.push_back(node.op->name == "input" || node.op->name == "constant" || has_node_kernels(node));
    std::string all;
    for (const Cluster& cluster : fuse_maps(graph, taken)) all += tape_text(cluster);
    for (const Node& node : graph.nodes())
      for (const KernelStep& step : node_kernels(graph, node)) all += kernel_text(step.kernel);
    return all;
  }

  static std::string kernel_text(const KernelText& kernel) {
    return concat(kernel.groups, " x ", kernel.lanes, " items, numbers [", join(kernel.numbers, ", "),
                  "]\nKERNEL LANES(", kernel.lanes, ") void ", kernel.kind, kernel.text, "\n");
  }

  void expect_golden(const std::string& name) const {
    const std::string found = text();
    const std::filesystem::path file = in_repository(concat("tests/golden/kernels/", name, ".txt"));
    if (std::getenv("TEMPER_WRITE_GOLDEN")) std::ofstream(file) << found;
    std::ifstream stream(file);
    EXPECT_EQ(found, std::string(std::istreambuf_iterator<char>(stream), {})) << file;
  }

  Graph graph;
  Builder b{graph};

 private:
  std::string tape_text(const Cluster& cluster) const {
    std::vector<Value> inputs, outputs;
    std::vector<Type> types;
    for (const int i : cluster.nodes)
      for (const Value value : graph.nodes()[static_cast<size_t>(i)].inputs)
        if (graph.node(value).op->name != "constant" &&
            !std::ranges::binary_search(cluster.nodes, value.node) &&
            std::ranges::find(inputs, value) == inputs.end()) {
          inputs.push_back(value);
          types.push_back(graph.type(value));
        }
    for (const Port& output : graph.outputs)
      if (std::ranges::binary_search(cluster.nodes, output.value.node)) outputs.push_back(output.value);
    return kernel_text(tape_kernel(lower(graph, cluster, inputs, outputs), types));
  }
};

TEST_F(KernelTexts, Map) {
  const Value x = input("x", {4, 6}), y = input("y", {4, 6});
  b.output("z", ops::tanh(b, ops::add(b, ops::mul(b, x, y), 0.5)));
  expect_golden("map");
}

TEST_F(KernelTexts, Broadcast) {
  const Value x = input("x", {2, 3, 5}), bias = input("bias", {3});
  const Value spread = ops::broadcast_in_dim(b, bias, {2, 3, 5}, {1});
  b.output("z", ops::max(b, ops::add(b, x, spread), ops::iota(b, DType::f32, {2, 3, 5}, 2)));
  expect_golden("broadcast");
}

TEST_F(KernelTexts, NarrowFloatsAndIntegers) {
  const Value half = input("half", {7}, DType::f16), brain = input("brain", {7}, DType::bf16),
              small = input("small", {7}, DType::i8), wide = input("wide", {7}, DType::u64);
  b.output("half", ops::sub(b, half, ops::convert(b, brain, DType::f16)));
  b.output("small", ops::div(b, ops::add(b, small, small), ops::shift_left(b, small, small)));
  b.output("wide", ops::shift_right_arithmetic(b, ops::pow(b, wide, wide), wide));
  b.output("counted", ops::convert(b, half, DType::i32));
  expect_golden("types");
}

TEST_F(KernelTexts, Reductions) {
  const Value x = input("x", {8, 300}), few = input("few", {300, 8});
  b.output("long", ops::reduce_sum(b, ops::mul(b, x, x), {1}));
  b.output("short", ops::reduce_max(b, few, {1}));
  expect_golden("reductions");
}

TEST_F(KernelTexts, Moves) {
  const Value x = input("x", {4, 6});
  b.output("transposed", ops::transpose(b, x, {1, 0}));
  b.output("padded", ops::pad(b, x, input("fill", {}), {1, 0}, {0, -1}, {0, 1}));
  b.output("joined", ops::concat(b, {x, input("more", {2, 6})}, 0));
  expect_golden("moves");
}

TEST_F(KernelTexts, Places) {
  const Value x = input("x", {6, 3}), places = input("places", {4}, DType::i64);
  const Value rows = ops::take(b, x, places, 0);
  b.output("rows", rows);
  b.output("sums", ops::scatter(b, x, places, rows, {{1}, {0}, {0}, 1}, "add"));
  b.output("best", ops::arg_reduce(b, x, 1, "max", DType::i32));
  b.output("sorted", ops::sort(b, {x}, 0, true)[0]);
  expect_golden("places");
}

TEST_F(KernelTexts, Contractions) {
  const Value x = input("x", {2, 4, 7, 8}), w = input("w", {6, 2, 3, 3});
  b.output("y", ops::conv_general(b, x, w, {{2, 1}, {1, 0}, {1, -1}, {1, 2}, {1, 1}, 2, 1}));
  b.output("p", ops::reduce_window(b, x, {1, 1, 2, 2}, {1, 1, 2, 2}, {0, 0, 0, 0}, {0, 0, 1, 0}, {1, 1, 1, 1},
                                   "max"));
  b.output("d", ops::matmul(b, input("m", {3, 5}), input("n", {5, 2})));
  expect_golden("contractions");
}

// Another size of what lies straight is the same kernel: it is built once.
TEST_F(KernelTexts, TheSizeOfAPlainMapIsANumber) {
  Graph other;
  Builder c(other);
  c.output("y", ops::exp(c, c.input("x", {DType::f32, {31, 7}})));
  b.output("y", ops::exp(b, input("x", {5})));
  const auto kernel = [](const Graph& g) {
    const std::vector<Value> in{g.inputs[0].value}, out{g.outputs[0].value};
    return tape_kernel(lower(g, {{out[0].node}, "map"}, in, out), std::vector<Type>{g.type(in[0])});
  };
  EXPECT_EQ(kernel(graph).text, kernel(other).text);
  EXPECT_EQ(kernel(other).numbers, std::vector<int64_t>{217});
}

TEST(Preamble, BeginsWithTheDialectsWords) {
  const std::string text = preamble({"another C", "#define KERNEL entry\n"});
  EXPECT_TRUE(text.starts_with("#define KERNEL entry\n"));
  EXPECT_NE(text.find("INLINE u16 f32_to_bf16(f32 x)"), std::string::npos);
}

}  // namespace
}  // namespace temper
