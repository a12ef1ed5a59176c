#include "nn/training_mode.h"

#include <algorithm>
#include <limits>

#include "golden.h"
#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "tensor/compare.h"

namespace temper::nn {
namespace {

bool always(const Graph&, const Node&) { return true; }
bool never(const Graph&, const Node&) { return false; }

Graph norm_graph() {
  Graph graph;
  Builder b(graph);
  const Type parameter{DType::f64, {3}};
  const Value x = b.input("x", {DType::f64, {2, 3, 2}});
  std::vector<Value> p;
  for (const char* name : {"scale", "bias", "mean", "variance"}) p.push_back(b.input(name, parameter));
  b.output("y", ops::batch_norm_infer(b, x, p[0], p[1], p[2], p[3], 1e-3, 0.9));
  return graph;
}

TEST(TrainingMode, RunningStatisticsArePyTorchs) {
  const TrainingMode mode = training_mode(norm_graph(), always);
  EXPECT_EQ(mode.statistics, (std::vector<std::string>{"mean", "variance"}));
  verify(mode.graph);
  const Type parameter{DType::f64, {3}};
  Tensor variance = wave(parameter, 0.6);
  for (double& value : variance.mutable_values<double>()) value *= value;
  const Tensor one = from_doubles(parameter, std::vector<double>{1, 1, 1});
  const std::vector<Tensor> inputs{wave({DType::f64, {2, 3, 2}}, 0.1), one, one, wave(parameter, 0.5),
                                   variance};
  const std::vector<Tensor> results = interpret(mode.graph, inputs);
  expect_golden("running_mean", to_doubles(results[1]), 1e-12);
  expect_golden("running_var", to_doubles(results[2]), 1e-12);
}

TEST(TrainingMode, FrozenNormsStayAsTheyAre) {
  const TrainingMode mode = training_mode(norm_graph(), never);
  EXPECT_TRUE(mode.statistics.empty());
  EXPECT_TRUE(same(mode.graph, norm_graph()));
}

// relu(batch_norm(x) + z), whose norm or sum something else may read, too.
Graph block(bool norm_read, bool sum_read) {
  Graph graph;
  Builder b(graph);
  const Type parameter{DType::f64, {3}}, picture{DType::f64, {2, 3, 2}};
  const Value x = b.input("x", picture), z = b.input("z", picture);
  std::vector<Value> p;
  for (const char* name : {"scale", "bias", "mean", "variance"}) p.push_back(b.input(name, parameter));
  const Value norm = ops::batch_norm_infer(b, x, p[0], p[1], p[2], p[3], 1e-3, 0.9);
  const Value sum = ops::add(b, z, norm);
  b.output("y", ops::clamp(b, sum, 0, 0.5));
  if (norm_read) b.output("norm", norm);
  if (sum_read) b.output("twice", ops::add(b, sum, sum));
  return graph;
}

const Node* norm_of(const Graph& graph) {
  const auto found = std::ranges::find_if(
      graph.nodes(), [](const Node& node) { return node.op->name.starts_with("batch_norm"); });
  return found == graph.nodes().end() ? nullptr : &*found;
}

TEST(TrainingMode, TakesASumAndBoundsIntoTheNormThatTheyAloneRead) {
  const Graph one = training_mode(block(false, false), always).graph,
              half = training_mode(block(false, true), always).graph,
              apart = training_mode(block(true, false), always).graph;
  EXPECT_EQ(norm_of(apart)->op->name, "batch_norm_train");
  EXPECT_EQ(norm_of(half)->op->name, "batch_norm_act_train");
  EXPECT_EQ(norm_of(half)->attributes.get<double>("high"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(norm_of(one)->attributes.get<double>("low"), 0);
  EXPECT_EQ(norm_of(one)->attributes.get<double>("high"), 0.5);
  std::vector<Tensor> inputs{wave({DType::f64, {2, 3, 2}}, 0.1), wave({DType::f64, {2, 3, 2}}, 0.7)};
  for (const double phase : {0.2, 0.3, 0.4, 0.5}) inputs.push_back(wave({DType::f64, {3}}, phase));
  const Tensor expected = interpret(apart, inputs)[0];
  EXPECT_EQ(difference(interpret(one, inputs)[0], expected).max_abs, 0);
  EXPECT_EQ(difference(interpret(half, inputs)[0], expected).max_abs, 0);
}

TEST(TrainingMode, DropoutsDropEachByItsOwnStream) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {4, 50}});
  b.output("y", ops::dropout_infer(b, ops::dropout_infer(b, x, 0.5), 0.25));
  const TrainingMode mode = training_mode(graph, never);
  EXPECT_EQ(mode.graph.type(mode.graph.find_input("key")), (Type{DType::u32, {2}}));
  const Tensor ones = from_doubles({DType::f32, {4, 50}}, std::vector<double>(200, 1.0));
  const Tensor key = Tensor::from<uint32_t>({2}, std::vector<uint32_t>{1, 2});
  const std::vector<Tensor> results = interpret(mode.graph, std::vector<Tensor>{ones, key});
  int kept = 0;
  for (double value : to_doubles(results[0])) {
    EXPECT_TRUE(value == 0 || std::abs(value - 2 / 0.75) < 1e-6) << value;
    kept += value != 0;
  }
  EXPECT_NEAR(kept, 200 * 0.5 * 0.75, 21);  // three standard deviations; one mask for both would keep 100
}

}  // namespace
}  // namespace temper::nn
