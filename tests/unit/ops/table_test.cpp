// One list: every row of the op table is complete, and its parts agree with one another.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "gradient_check.h"
#include "ops/interpreter/interpret.h"
#include "ops/registry.h"
#include "ops/samples.h"

namespace temper {
namespace {

// What a row lacks, empty if nothing.
std::string missing(const Op& op) {
  std::vector<std::string_view> parts;
  if (op.summary.empty()) parts.emplace_back("a summary");
  if (!op.infer) parts.emplace_back("a shape rule");
  if (&op == &input_op || &op == &constant_op) return join(parts, ", ");  // leaves of ir: nothing to compute
  if (!op.samples || op.samples().empty()) parts.emplace_back("samples");
  if (op.primitive && !op.evaluate) parts.emplace_back("an evaluation");
  if (op.primitive && !op.vjp && op.no_gradient.empty())
    parts.emplace_back("a vjp or the reason why it has none");
  if (!op.primitive && !op.decompose) parts.emplace_back("a decomposition");
  if (op.vjp && !op.no_gradient.empty()) parts.emplace_back("either a vjp or a reason for none, not both");
  return join(parts, ", ");
}

std::vector<Sample> samples_of(const Op& op) { return op.samples ? op.samples() : std::vector<Sample>(); }

class OpTable : public testing::TestWithParam<const Op*> {};

TEST_P(OpTable, HasAllParts) {
  const Op& op = *GetParam();
  EXPECT_EQ(missing(op), "") << op.name << " lacks " << missing(op);
  std::set<std::string> names;
  for (const Sample& sample : samples_of(op))
    EXPECT_TRUE(names.insert(sample.name).second) << "two samples named " << sample.name;
}

TEST_P(OpTable, EvaluatesToTheInferredTypes) {
  const Op& op = *GetParam();
  for (const Sample& sample : samples_of(op)) {
    SCOPED_TRACE(concat(op.name, ", sample ", sample.name));
    const Graph graph = sample_graph(op, sample);
    verify(graph);
    std::vector<Array> arrays;
    for (const Tensor& input : sample_inputs(op, sample)) arrays.push_back(to_array(input));
    std::vector<const Array*> inputs;
    for (const Array& array : arrays) inputs.push_back(&array);
    const std::vector<Array> outputs = evaluate_graph(graph, inputs, Rounding::none);
    ASSERT_EQ(outputs.size(), graph.outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
      EXPECT_EQ(outputs[i].type, graph.type(graph.outputs[i].value));
      EXPECT_EQ(count(outputs[i]), outputs[i].type.shape.elements());
      for (int64_t value : outputs[i].ints) EXPECT_EQ(value, wrap(outputs[i].type.dtype, value));
    }
  }
}

TEST_P(OpTable, GradientsAgreeWithFiniteDifferences) {
  const Op& op = *GetParam();
  for (const Sample& sample : samples_of(op)) {
    if (differentiable(op, sample)) {
      EXPECT_EQ(check_finite_differences(op, sample), "");
    }
  }
}

TEST_P(OpTable, GradientsAgreeWithTheDecomposition) {
  const Op& op = *GetParam();
  if (op.primitive || !op.vjp) return;
  for (const Sample& sample : samples_of(op)) {
    if (differentiable(op, sample)) {
      EXPECT_EQ(check_decomposition(op, sample), "");
    }
  }
}

// The checks above would notice a wrong sign of any gradient of any op.
TEST_P(OpTable, FlippedGradientsAreNoticed) {
  const Op& op = *GetParam();
  if (!op.vjp) return;
  std::set<int> with_gradient, noticed;
  for (const Sample& sample : samples_of(op)) {
    if (!differentiable(op, sample)) continue;
    for (int operand : operands_with_gradient(op, sample)) {
      with_gradient.insert(operand);
      if (!noticed.count(operand) && !check_finite_differences(op, sample, operand).empty())
        noticed.insert(operand);
    }
  }
  const bool flat = op.summary.ends_with("gradient 0");
  EXPECT_EQ(with_gradient.empty(), flat) << op.name;
  EXPECT_EQ(noticed, with_gradient) << op.name << ": a negated gradient went unnoticed";
}

INSTANTIATE_TEST_SUITE_P(All, OpTable, testing::ValuesIn(all_ops()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST(Completeness, NamesTheOpAndWhatIsMissing) {
  EXPECT_EQ(missing({.name = "bare"}),
            "a summary, a shape rule, samples, an evaluation, a vjp or the reason why it has none");
  EXPECT_EQ(missing({.name = "bare", .primitive = false, .summary = "y = x"}),
            "a shape rule, samples, a decomposition");
}

}  // namespace
}  // namespace temper
