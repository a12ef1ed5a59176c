#include "grad/gradient.h"

#include <gtest/gtest.h>

#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "ops/registry.h"

namespace temper {
namespace {

Tensor vector(std::vector<double> values) {
  const auto size = static_cast<int64_t>(values.size());
  return from_doubles({DType::f64, {size}}, values);
}

TEST(Gradient, SumsOverEveryUse) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f64, {3}});
  const Value y = ops::add(b, ops::mul(b, x, x), x);  // x^2 + x
  b.output("dx", gradient(b, y, {&x, 1})[0]);
  EXPECT_EQ(to_doubles(interpret(graph, std::vector<Tensor>{vector({1, -2, 0.5})})[0]),
            (std::vector<double>{3, -3, 2}));
}

TEST(Gradient, IsZeroWhereNothingDepends) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f64, {2}}), unused = b.input("unused", {DType::f64, {2}});
  const std::vector<Value> wrt = {x, unused};
  const std::vector<Value> gradients = gradient(b, ops::exp(b, x), wrt);
  b.output("du", gradients[1]);
  EXPECT_EQ(to_doubles(interpret(graph, std::vector<Tensor>{vector({1, 2}), vector({1, 2})})[0]),
            (std::vector<double>{0, 0}));
}

TEST(Gradient, EmitsNothingForWhatIsNotAsked) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {4, 3, 8, 8}}), w = b.input("w", {DType::f32, {5, 3, 3, 3}});
  const Value y = ops::conv2d(b, x, w, {}, {});
  gradient(b, y, {&w, 1});
  for (const Node& node : graph.nodes()) EXPECT_NE(node.op, &op("conv_input_grad"));
}

TEST(Gradient, StopsAtWhatIsFrozen) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f64, {2, 2}}), frozen = b.input("frozen", {DType::f64, {2, 2}});
  const Value head = b.input("head", {DType::f64, {2, 2}});
  const Value features = ops::tanh(b, ops::matmul(b, x, frozen));
  const Value y = ops::matmul(b, features, head);
  const int before = graph.size();
  gradient(b, y, {&head, 1});
  // One contraction and what transposes it; nothing of tanh or of the frozen product.
  int contractions = 0;
  for (int i = before; i < graph.size(); ++i) {
    if (graph.nodes()[static_cast<size_t>(i)].op == &op("dot_general")) ++contractions;
    EXPECT_NE(graph.nodes()[static_cast<size_t>(i)].op, &op("tanh"));
  }
  EXPECT_EQ(contractions, 1);
}

TEST(Gradient, NamesTheNodeThatHasNone) {
  Op hash = op("exp");
  hash.name = "hash";
  hash.vjp = nullptr;
  hash.no_gradient = "a hash has no slope";
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f64, {4}});
  const Value y = b.emit(hash, {x}, {}, "bucket");
  try {
    gradient(b, y, {&x, 1});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_EQ(error.node(), "bucket");
    EXPECT_NE(std::string(error.what()).find("a hash has no slope"), std::string::npos);
  }
}

TEST(Gradient, IsDifferentiableItself) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f64, {2}});
  const Value first = gradient(b, ops::mul(b, ops::mul(b, x, x), x), {&x, 1})[0];
  b.output("second", gradient(b, first, {&x, 1})[0]);
  EXPECT_EQ(to_doubles(interpret(graph, std::vector<Tensor>{vector({2, -1})})[0]),
            (std::vector<double>{12, -6}));
}

}  // namespace
}  // namespace temper
