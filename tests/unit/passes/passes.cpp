#include "passes/passes.h"

#include <gtest/gtest.h>

#include <random>

#include "ir/builder.h"
#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "ops/registry.h"
#include "tensor/compare.h"

namespace temper {
namespace {

Tensor random_tensor(const Type& type, unsigned seed, double low = -1) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(low, 1);
  std::vector<double> values(static_cast<size_t>(type.shape.elements()));
  for (double& value : values) value = uniform(engine);
  return from_doubles(type, values);
}

std::vector<Tensor> random_inputs(const Graph& graph, double low = 0.1) {
  std::vector<Tensor> tensors;
  for (const Port& port : graph.inputs)
    tensors.push_back(random_tensor(graph.type(port.value), static_cast<unsigned>(tensors.size()), low));
  return tensors;
}

void expect_same_results(const Graph& a, const Graph& b) {
  const std::vector<Tensor> inputs = random_inputs(a);
  const std::vector<Tensor> x = interpret(a, inputs), y = interpret(b, inputs);
  ASSERT_EQ(x.size(), y.size());
  for (size_t i = 0; i < x.size(); ++i) {
    std::string why;
    EXPECT_TRUE(close(x[i], y[i], 1e-6, 1e-7, &why)) << why;
  }
}

int count(const Graph& graph, std::string_view name) {
  return static_cast<int>(std::count_if(graph.nodes().begin(), graph.nodes().end(),
                                        [&](const Node& node) { return node.op == &op(name); }));
}

TEST(Specialise, GivesSymbolsSizesInTypesAndAttributes) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {Dim::symbol("N"), 6}});
  b.output("y", ops::reshape(b, x, {Dim(2, "N"), 3}));
  const Graph fixed = specialise(graph, {{"N", 4}});
  verify(fixed);
  EXPECT_EQ(to_string(fixed.type(fixed.outputs[0].value)), "f32[8, 3]");
}

TEST(EliminateDead, KeepsInputsAndWhatOutputsNeed) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2}});
  b.input("unused", {DType::f32, {2}});
  ops::exp(b, x);
  b.output("y", ops::neg(b, x));
  const Graph result = eliminate_dead(graph);
  EXPECT_EQ(result.inputs.size(), 2U);
  EXPECT_EQ(count(result, "exp"), 0);
  EXPECT_EQ(count(result, "neg"), 1);
}

TEST(Fold, EvaluatesConstants) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2}});
  const Value two = ops::add(b, b.scalar(DType::f32, 0.5), b.scalar(DType::f32, 1.5));
  b.output("y", ops::mul(b, x, ops::broadcast_to(b, two, {2})));
  const Graph folded = fold(graph);
  EXPECT_EQ(count(folded, "add"), 0);
  expect_same_results(graph, folded);
}

TEST(Fold, RoundsToTheDtypeAtEachNode) {
  Graph graph;
  Builder b(graph);
  // (1 + 2^-9) in f16 is 1: ties go to even. The sum minus one must be 0, not 2^-9.
  const Value sum = ops::add(b, b.scalar(DType::bf16, 1), b.scalar(DType::bf16, 0x1p-9));
  b.output("y", ops::sub(b, sum, b.scalar(DType::bf16, 1)));
  const Graph folded = fold(graph);
  ASSERT_EQ(folded.size(), 1);
  EXPECT_EQ(to_doubles(folded.nodes()[0].attributes.get<Tensor>("value")), std::vector<double>{0});
}

TEST(Fold, RemovesWhatDoesNothing) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2, 3}});
  Value y = ops::mul(b, x, 1);
  y = ops::transpose(b, ops::transpose(b, y, {1, 0}), {1, 0});
  y = ops::reshape(b, ops::reshape(b, y, {6}), {3, 2});
  y = ops::slice(b, y, {0, 0}, {ops::kEnd, ops::kEnd}, {1, 1});
  b.output("y", y);
  const Graph folded = fold(graph);
  EXPECT_EQ(folded.size(), 2) << "an input and one reshape";
  expect_same_results(graph, folded);
}

TEST(Fold, KeepsTheSignOfZero) {
  Graph graph;
  Builder b(graph);
  b.output("y", ops::add(b, b.input("x", {DType::f32, {1}}), 0));
  EXPECT_EQ(count(fold(graph), "add"), 1);
}

TEST(Fold, KnowsSizesOnceTheyAreNumbers) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {Dim::symbol("N"), 3}});
  b.output("mean", ops::reduce_mean(b, x, {0}));
  EXPECT_EQ(count(fold(graph), "dimension_size"), 1);
  const Graph fixed = fold(specialise(graph, {{"N", 5}}));
  EXPECT_EQ(count(fixed, "dimension_size"), 0);
  expect_same_results(specialise(graph, {{"N", 5}}), fixed);
}

TEST(Decompose, LeavesOnlyPrimitivesAndWhatIsKept) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2, 4}});
  b.output("y", ops::gelu(b, ops::softmax(b, x, 1), false));
  const Graph all = decompose(graph, [](const Graph&, const Node&) { return false; });
  for (const Node& node : all.nodes()) EXPECT_TRUE(node.op->primitive) << node.op->name;
  expect_same_results(graph, all);
  const Graph some =
      decompose(graph, [](const Graph&, const Node& node) { return node.op == &op("softmax"); });
  EXPECT_EQ(count(some, "softmax"), 1);
  EXPECT_EQ(count(some, "gelu"), 0);
}

Graph convolution_and_norm(bool with_bias, bool read_twice) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2, 3, 6, 6}}), w = b.input("w", {DType::f32, {4, 3, 3, 3}});
  const Value bias = with_bias ? b.input("b", {DType::f32, {4}}) : Value{};
  const Value y = ops::conv2d(b, x, w, bias, {.low = {1, 1}, .high = {1, 1}});
  std::vector<Value> of_norm;
  for (const char* name : {"scale", "shift", "mean", "variance"})
    of_norm.push_back(b.input(name, {DType::f32, {4}}));
  b.output("y", ops::batch_norm_infer(b, y, of_norm[0], of_norm[1], of_norm[2], of_norm[3], 1e-3, 0.9));
  if (read_twice) b.output("inner", y);
  return graph;
}

Graph spelled_out(const Graph& graph) {
  return fold(decompose(graph, [](const Graph&, const Node& node) { return node.op == &op("erf"); }));
}

TEST(RaiseComposites, FindsGeluAndLayerNorm) {
  Graph graph;
  Builder b(graph);
  const Type row{DType::f32, {6}};
  const Value x = b.input("x", {DType::f32, {2, 3, 6}});
  const Value y = ops::layer_norm(b, x, b.input("scale", row), b.input("bias", row), 2, 1e-5).y;
  b.output("y", ops::gelu(b, y, false));
  const Graph spelled = spelled_out(graph), raised = raise_composites(spelled);
  EXPECT_EQ(count(spelled, "layer_norm") + count(spelled, "gelu"), 0);
  EXPECT_EQ(raised.size(), graph.size());
  EXPECT_EQ(count(raised, "layer_norm"), 1);
  EXPECT_EQ(count(raised, "gelu"), 1);
  expect_same_results(spelled, raised);
}

// As PyTorch writes them: x / sqrt 2, the half last; a power, a root and a division.
TEST(RaiseComposites, KnowsOtherSpellings) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {4, 6}}), scale = b.input("scale", {DType::f32, {6}}),
              bias = b.input("bias", {DType::f32, {6}});
  const auto mean = [&](Value v) { return ops::reshape(b, ops::reduce_mean(b, v, {1}), {4, 1}); };
  const Value centred = ops::sub(b, x, mean(x));
  const Value deviation = ops::sqrt(b, ops::add(b, mean(ops::pow(b, centred, 2)), 1e-12));
  const Value y = ops::add(b, bias, ops::mul(b, scale, ops::div(b, centred, deviation)));
  const Value erf = ops::add(b, ops::erf(b, ops::div(b, y, std::sqrt(2.0))), 1);
  b.output("y", ops::mul(b, ops::mul(b, y, erf), 0.5));
  const Graph raised = raise_composites(graph);
  EXPECT_EQ(count(raised, "layer_norm"), 1);
  EXPECT_EQ(count(raised, "gelu"), 1);
  expect_same_results(graph, raised);
}

TEST(RaiseComposites, LeavesWhatOnlyLooksAlike) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {6, 6}}), scale = b.input("scale", {DType::f32, {6}}),
              bias = b.input("bias", {DType::f32, {6}});
  const Value erf = ops::add(b, ops::erf(b, ops::mul(b, x, std::sqrt(0.5))), 1);
  b.output("third", ops::mul(b, ops::mul(b, x, erf), 0.3));
  b.output("other", ops::mul(b, ops::mul(b, ops::neg(b, x), erf), 0.5));
  const auto mean = [&](Value v) { return ops::reshape(b, ops::reduce_mean(b, v, {0}), {1, 6}); };
  const Value centred = ops::sub(b, x, mean(x));  // of columns
  const Value rstd = ops::rsqrt(b, ops::add(b, mean(ops::mul(b, centred, centred)), 1e-5));
  b.output("columns", ops::add(b, ops::mul(b, ops::mul(b, centred, rstd), scale), bias));
  Value power = x;
  for (int i = 0; i < 60; ++i) power = ops::mul(b, power, power);
  b.output("power", power);
  const Graph raised = raise_composites(graph);
  EXPECT_EQ(count(raised, "layer_norm") + count(raised, "gelu"), 0);
  EXPECT_EQ(raised.size(), graph.size());
}

TEST(FoldBatchNorms, ChangesNoResult) {
  for (bool with_bias : {false, true}) {
    const Graph graph = convolution_and_norm(with_bias, false);
    const Graph folded = fold_batch_norms(graph, [](const Graph&, const Node&) { return true; });
    EXPECT_EQ(count(folded, "batch_norm_infer"), 0);
    expect_same_results(graph, folded);
  }
}

TEST(FoldBatchNorms, LeavesWhatIsReadElsewhereOrMayNot) {
  const auto yes = [](const Graph&, const Node&) { return true; };
  EXPECT_EQ(count(fold_batch_norms(convolution_and_norm(true, true), yes), "batch_norm_infer"), 1);
  const auto no = [](const Graph&, const Node&) { return false; };
  EXPECT_EQ(count(fold_batch_norms(convolution_and_norm(true, false), no), "batch_norm_infer"), 1);
}

TEST(Split, CutsAtTheLastFrozenValues) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2, 3}}), frozen = b.input("frozen", {DType::f32, {3, 4}});
  const Value head = b.input("head", {DType::f32, {4, 5}});
  const Value features = ops::tanh(b, ops::matmul(b, x, frozen));
  b.output("y", ops::matmul(b, features, head));
  graph.donations = {};
  const Split split = split_frozen(graph, [](const std::string& name) { return name == "head"; });
  ASSERT_EQ(split.features.size(), 1U);
  EXPECT_EQ(split.prefix.inputs.size(), 2U);
  EXPECT_EQ(count(split.prefix, "tanh"), 1);
  EXPECT_EQ(count(split.suffix, "tanh"), 0);
  EXPECT_EQ(split.suffix.inputs.size(), 2U);
  EXPECT_EQ(split.suffix.inputs[0].name, "feature.0");
  verify(split.prefix);
  verify(split.suffix);

  const std::vector<Tensor> inputs = random_inputs(graph);
  const std::vector<Tensor> cached = interpret(split.prefix, std::vector<Tensor>{inputs[0], inputs[1]});
  const Tensor whole = interpret(graph, inputs)[0];
  const Tensor parts = interpret(split.suffix, std::vector<Tensor>{cached[0], inputs[2]})[0];
  EXPECT_TRUE(close(whole, parts, 1e-6, 1e-7, nullptr));
}

TEST(Split, LeavesWhatNeedsASizeThatOnlyDataHas) {
  Graph graph;
  Builder b(graph);
  const Value ids = b.input("ids", {DType::i64, {Dim::symbol("S")}}),
              table = b.input("table", {DType::f32, {9, 4}});
  const Value places = ops::embedding(b, table, ops::iota(b, DType::i64, b.shape(ids), 0));
  b.output("y", ops::add(b, ops::embedding(b, table, ids), places));
  const Split split = split_frozen(graph, [](const std::string& name) { return name == "ids"; });
  EXPECT_TRUE(split.features.empty());
}

TEST(Split, RepeatsWhatIsFreeInsteadOfStoringIt) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2, 3}}), bias = b.input("bias", {DType::f32, {3}});
  b.output("y", ops::add(b, x, bias));
  const Split split = split_frozen(graph, [](const std::string& name) { return name == "x"; });
  EXPECT_TRUE(split.features.empty());
  EXPECT_EQ(split.suffix.inputs.size(), 2U);
}

}  // namespace
}  // namespace temper
