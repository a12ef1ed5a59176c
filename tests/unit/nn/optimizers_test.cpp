#include "nn/optimizers.h"

#include "golden.h"
#include "ops/interpreter/interpret.h"

namespace temper::nn {
namespace {

struct Case {
  std::string golden;
  Optimizer optimizer;
};

class Optimizers : public testing::TestWithParam<Case> {};

// One update as a graph: parameter, gradient, slots, scalars -> parameter, slots.
Graph update_graph(const Optimizer& optimizer) {
  Graph graph;
  Builder b(graph);
  const Type type{DType::f32, {4}};
  const Value parameter = b.input("parameter", type), gradient = b.input("gradient", type);
  std::vector<Value> slots, hyper;
  for (const std::string& slot : optimizer_slots(optimizer)) slots.push_back(b.input(slot, type));
  for (const auto& [name, value] : optimizer_hyper(optimizer, 0, 1))
    hyper.push_back(b.input(name, {DType::f32, {}}));
  const Update update = optimizer_update(b, optimizer, parameter, gradient, slots, hyper, true);
  EXPECT_EQ(update.slots.size(), slots.size());
  b.output("parameter", update.parameter);
  for (size_t i = 0; i < slots.size(); ++i) b.output(optimizer_slots(optimizer)[i], update.slots[i]);
  verify(graph);
  return graph;
}

TEST_P(Optimizers, FiveStepsArePyTorchs) {
  const Optimizer& optimizer = GetParam().optimizer;
  const Graph graph = update_graph(optimizer);
  const Type type{DType::f32, {4}};
  Tensor parameter = wave(type, 0.1);
  std::vector<Tensor> slots(optimizer_slots(optimizer).size(), Tensor(type));
  for (int step = 0; step < 5; ++step) {
    std::vector<Tensor> inputs{parameter, wave(type, 0.3 * step)};
    inputs.insert(inputs.end(), slots.begin(), slots.end());
    for (const auto& [name, value] : optimizer_hyper(optimizer, 0.1, step + 1))
      inputs.push_back(Tensor::scalar(static_cast<float>(value)));
    const std::vector<Tensor> results = interpret(graph, inputs);
    parameter = results[0];
    slots.assign(results.begin() + 1, results.end());
  }
  expect_golden("optimizer_" + GetParam().golden, to_doubles(parameter), 5e-6);
}

const Case kCases[]{
    {"sgd", {.kind = "sgd"}},
    {"sgd_decay", {.kind = "sgd", .weight_decay = 0.2}},
    {"momentum", {.kind = "sgd", .momentum = 0.9, .weight_decay = 0.2}},
    {"nesterov", {.kind = "sgd", .momentum = 0.9, .nesterov = true, .weight_decay = 0.2}},
    {"adam", {.kind = "adam", .weight_decay = 0.2}},
    {"adamw", {.kind = "adamw", .weight_decay = 0.2}},
    {"rmsprop", {.kind = "rmsprop", .weight_decay = 0.2}},
    {"rmsprop_momentum", {.kind = "rmsprop", .momentum = 0.9}},
    {"adagrad", {.kind = "adagrad", .weight_decay = 0.2, .epsilon = 1e-10}},
};
INSTANTIATE_TEST_SUITE_P(All, Optimizers, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.golden; });

TEST(OptimizerUpdate, LeavesOutDecayWhereItIsTold) {
  Graph graph;
  Builder b(graph);
  const Type type{DType::f32, {1}};
  const Value parameter = b.input("parameter", type), gradient = b.input("gradient", type),
              lr = b.input("lr", {DType::f32, {}});
  for (bool decay : {false, true}) {
    const Optimizer sgd{.kind = "sgd", .weight_decay = 0.5};
    b.output(decay ? "with" : "without",
             optimizer_update(b, sgd, parameter, gradient, {}, std::span(&lr, 1), decay).parameter);
  }
  const auto one = [&](double value) { return from_doubles(type, std::vector<double>{value}); };
  const std::vector<Tensor> results =
      interpret(graph, std::vector<Tensor>{one(8), one(1), Tensor::scalar(0.5f)});
  EXPECT_EQ(to_doubles(results[0]), std::vector<double>{7.5});
  EXPECT_EQ(to_doubles(results[1]), std::vector<double>{5.5});
}

}  // namespace
}  // namespace temper::nn
