// A training step in parts of the batch: what they give does not depend on who computes them.
#include <algorithm>

#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "passes/passes.h"
#include "run.h"
#include "support/norm_block.h"

namespace temper {

namespace {

std::vector<Tensor> inputs_of(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs) inputs.push_back(filled(graph.type(port.value), inputs.size() + 1));
  return inputs;
}

}  // namespace

TEST(TrainingParts, GiveTheSameBitsWithAnyTeam) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const int64_t part : {1, 4000}) {
      SCOPED_TRACE(concat(to_string(dtype), ", ", part, " bytes"));
      const Graph whole = norm_block(dtype, 6);
      const Graph parts = train_in_parts(whole, {.pictures = 0, .part = part});
      const std::vector<Tensor> inputs = inputs_of(whole), alone = run(parts, inputs, {.threads = 1});
      // In bf16 a clamp may open here and close there.
      if (dtype == DType::f32) expect_close(alone, interpret(parts, inputs), 2e-5);
      for (const int threads : {2, 3, 8}) expect_same_bits(run(parts, inputs, {.threads = threads}), alone);
    }
}

// The optimizer's weights lie as the convolutions of the parts want them, and so do their gradients.
TEST(TrainingParts, RenewWeightsInPlace) {
  Graph graph = train_in_parts(norm_block(DType::f32, 4), {.pictures = 0, .part = 1});
  {
    Builder b(graph);
    const std::vector<Port> inputs = graph.inputs, outputs = graph.outputs;
    for (size_t i = 1; i < inputs.size(); ++i) {  // after x
      graph.donations.push_back({static_cast<int>(i), static_cast<int>(graph.outputs.size())});
      b.output(inputs[i].name, ops::sub(b, inputs[i].value, ops::mul(b, outputs[i].value, 0.01)));
    }
  }
  const std::vector<Tensor> inputs = inputs_of(graph);
  expect_close(run(graph, inputs, {.threads = 2}), interpret(graph, inputs), 2e-5);
}

TEST(TrainingParts, AreTakenByTheProcessorWherePicturesAreLarge) {
  const auto kinds = [](int64_t side) {
    Graph graph;
    Builder b(graph);
    const Value x = b.input("x", {DType::f32, {8, 4, side, side}}),
                w = b.input("w", {DType::f32, {16, 4, 1, 1}}), scale = b.input("scale", {DType::f32, {16}}),
                bias = b.input("bias", {DType::f32, {16}});
    const Value y = ops::conv2d(b, x, w, {}, {});
    b.output("y", ops::batch_norm_act_train(b, y, scale, bias, {}, {.epsilon = 1e-3, .low = 0}).y);
    std::vector<std::string> found;
    for (const LaunchProfile& launch : load(graph)->launches()) found.push_back(launch.kind);
    return found;
  };
  EXPECT_EQ(std::ranges::count(kinds(32), "batch_norm_act_train"), 1);
  EXPECT_EQ(std::ranges::count(kinds(160), "batch_norm_act_train"), 0);
  EXPECT_EQ(std::ranges::count(kinds(160), "batch_norm_act_infer"), 1);
}

}  // namespace temper
