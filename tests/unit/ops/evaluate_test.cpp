// How nodes and graphs are evaluated, whatever the op.
#include "ops/evaluate.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "ops/registry.h"
#include "ops/samples.h"

namespace temper {
namespace {

// 2048 + 1 - 2048 in half precision
Graph cancellation() {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", f16({1}));
  b.output("y", ops::sub(b, ops::add(b, x, 1), 2048));
  return graph;
}

TEST(Evaluate, RoundsOnceOrAfterEveryNode) {
  const Tensor x = from_doubles(f16({1}), std::vector<double>{2048});
  EXPECT_EQ(to_doubles(interpret(cancellation(), {&x, 1})[0])[0], 1);
  EXPECT_EQ(to_doubles(interpret(cancellation(), {&x, 1}, Rounding::every_node)[0])[0], 0);
}

TEST(Evaluate, RoundsWhereItIsAskedTo) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", f64({1}));
  b.output("y", ops::convert(b, ops::convert(b, x, DType::f32), DType::f64));
  const Tensor tenth = Tensor::from<double>({1}, std::vector<double>{0.1});
  EXPECT_EQ(to_doubles(interpret(graph, {&tenth, 1})[0])[0], static_cast<double>(0.1F));
}

TEST(Evaluate, SaysWhichInputIsOfAnotherType) {
  const Tensor x = Tensor::scalar(1.0F);
  try {
    interpret(cancellation(), {&x, 1});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    EXPECT_EQ(std::string(error.what()), "input x: expected f16[1], found f32[]");
  }
}

TEST(Registry, FindsRowsByName) {
  EXPECT_EQ(find_op("add"), &op("add"));
  EXPECT_EQ(find_op("no such op"), nullptr);
  EXPECT_EQ(all_ops().front(), &input_op);
}

TEST(Registry, RefusesANameThatIsTaken) {
  static const Op twice{.name = "add"};
  EXPECT_THROW(register_op(twice), Error);
}

// Every attribute and region that a sample has survives the text form.
TEST(Registry, ParsesWhatIsPrinted) {
  for (const Op* row : all_ops()) {
    if (!row->samples) continue;
    for (const Sample& sample : row->samples()) {
      const Graph graph = sample_graph(*row, sample);
      EXPECT_TRUE(same(parse_graph(print(graph)), graph)) << row->name << ", sample " << sample.name;
    }
  }
}

}  // namespace
}  // namespace temper
