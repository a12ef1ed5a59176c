#include "nn/training_mode.h"

#include "golden.h"
#include "ops/composites.h"
#include "ops/interpreter/interpret.h"

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
