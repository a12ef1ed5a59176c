#include "ir/graph.h"

#include <gtest/gtest.h>

#include "ir/builder.h"
#include "ops/primitives.h"
#include "ops/registry.h"

namespace temper {
namespace {

TEST(Builder, ReturnsTheNodeThatIsThere) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2}});
  const Value twice = ops::add(b, x, x);
  EXPECT_EQ(ops::add(b, x, x), twice);
  EXPECT_NE(ops::sub(b, x, x), twice);
  EXPECT_EQ(b.scalar(DType::f32, 3), b.scalar(DType::f32, 3));
  EXPECT_NE(b.scalar(DType::f32, 3), b.scalar(DType::f64, 3));
  EXPECT_NE(b.input("y", {DType::f32, {2}}), x);
}

TEST(Builder, KnowsTheNodesOfAGraphItIsGiven) {
  Graph graph;
  Value x, y;
  {
    Builder b(graph);
    x = b.input("x", {DType::f32, {2}});
    y = ops::exp(b, x);
  }
  Builder again(graph);
  EXPECT_EQ(ops::exp(again, x), y);
}

TEST(Builder, NamesTheNodeWhoseShapesDoNotFit) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2}}), y = b.input("y", {DType::f32, {3}});
  try {
    b.emit(op("add"), {x, y}, {}, "sum of both");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    EXPECT_EQ(error.node(), "sum of both");
    EXPECT_NE(std::string(error.what()).find("sum of both"), std::string::npos);
  }
}

TEST(Builder, KeepsReferencesValidWhileAppending) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {7}});
  const Shape& shape = b.shape(x);
  Value y = x;
  for (int i = 0; i < 1000; ++i) y = ops::add(b, y, static_cast<double>(i));
  EXPECT_EQ(shape, Shape({7}));
}

TEST(Rewrite, ReplacesNodesAndKeepsPortsAndNames) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {Dim::symbol("N"), 2}});
  b.output("y", b.emit(op("exp"), {x}, {}, "first"));
  graph.donations = {{0, 0}};
  const Graph result =
      rewrite(graph, [](Builder& to, const NodeView& view) -> std::optional<std::vector<Value>> {
        if (view.node.op != &op("exp")) return std::nullopt;
        return std::vector<Value>{ops::neg(to, view.inputs[0])};
      });
  ASSERT_EQ(result.size(), 2);
  EXPECT_EQ(result.nodes()[1].op, &op("neg"));
  EXPECT_EQ(result.nodes()[1].name, "first");
  EXPECT_EQ(result.inputs[0].name, "x");
  EXPECT_EQ(result.outputs[0].name, "y");
  EXPECT_EQ(result.donations, graph.donations);
  verify(result);
}

TEST(Inline, PutsOneGraphIntoAnother) {
  Graph inner;
  Builder in(inner);
  const Value a = in.input("a", {DType::f32, {2}});
  in.output("square", ops::mul(in, a, a));
  Graph outer;
  Builder out(outer);
  const Value x = ops::exp(out, out.input("x", {DType::f32, {2}}));
  const std::vector<Value> results = inline_graph(out, inner, {&x, 1});
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(outer.node(results[0]).inputs, (std::vector<Value>{x, x}));
}

TEST(Verify, NamesWhatIsWrong) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2}});
  const Value y = b.emit(op("exp"), {x}, {}, "curve");
  b.output("y", y);
  verify(graph);
  graph.node(y).outputs[0].shape = {3};
  try {
    verify(graph);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("curve (exp, node 1)"), std::string::npos) << error.what();
  }
  graph.node(y).outputs[0].shape = {2};
  graph.donations = {{0, 0}, {0, 0}};
  EXPECT_THROW(verify(graph), Error);
}

TEST(Users, ListsEachReaderOnce) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2}});
  const Value y = ops::mul(b, x, x);
  ops::add(b, x, y);
  EXPECT_EQ(users(graph)[static_cast<size_t>(x.node)], (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace temper
