#include "train/frozen.h"

#include <gmock/gmock.h>

#include <cstring>

#include "nn/layers.h"
#include "nn/models.h"
#include "runtime/compile.h"
#include "train/programs.h"
#include "train/trainable.h"
#include "unit/train/run.h"

namespace temper {
namespace {

// input[N, 3, 8, 8] -> conv, norm, relu -> conv, norm, relu -> gap -> dropout -> dense 4
Model backbone() {
  Model model;
  Builder b(model.graph);
  const Value x = b.input("input", {DType::f32, {Dim::symbol("N"), 3, 8, 8}});
  nn::Layers layers(model, 3);
  Value y = layers.conv("conv1", x, {.channels = 8, .padding = 1, .bias = false});
  y = layers.activation("relu1", layers.batch_norm("bn1", y), "relu");
  y = layers.conv("conv2", y, {.channels = 16, .stride = 2, .padding = 1});
  y = layers.activation("relu2", layers.batch_norm("bn2", y), "relu");
  y = layers.dropout("drop", layers.global_avg_pool("gap", y), 0.3);
  layers.builder().output("output", layers.dense("fc", y, 4));
  for (const char* name : {"bn1", "bn2"}) {
    model.parameters[concat(name, ".running_mean")] = nn::initial_tensor(
        model.parameters[concat(name, ".running_mean")].type(), {nn::Initial::uniform, 0.3}, 5, name);
  }
  return model;
}

Tensor pictures(int64_t count, uint64_t seed) {
  return nn::initial_tensor({DType::f32, {count, 3, 8, 8}}, {nn::Initial::normal, 1}, seed, "pictures");
}

std::set<std::string> trains(const Model& model, std::string_view what) {
  return trainable_parameters(model, what, "", {});
}

int count(const Graph& graph, std::string_view op) {
  int found = 0;
  for (const Node& node : graph.nodes()) found += node.op->name == op;
  return found;
}

// The outputs of a model, its parameters from its own values.
Tensor outputs_of(const Model& model, const Tensor& input) {
  const Graph graph = with_batch(model, input.shape().size(0));
  std::vector<Tensor> arguments;
  for (const Port& port : graph.inputs) {
    const auto found = model.parameters.find(port.name);
    arguments.push_back(found == model.parameters.end() ? input : found->second);
  }
  return run_once(test_device(), graph, arguments).front();
}

TEST(Frozen, FoldsBatchNormsThatDoNotTrain) {
  const Model model = backbone();
  const Model folded = fold_frozen(test_device(), model, trains(model, "head"), {});
  EXPECT_EQ(count(folded.graph, "batch_norm_infer"), 0);
  EXPECT_EQ(count(fold_frozen(test_device(), model, trains(model, "all"), {}).graph, "batch_norm_infer"), 2);
  EXPECT_EQ(count(fold_frozen(test_device(), model, {"bn2.weight"}, {}).graph, "batch_norm_infer"), 1);
  const std::vector<double> before = to_doubles(outputs_of(model, pictures(5, 1)));
  const std::vector<double> after = to_doubles(outputs_of(folded, pictures(5, 1)));
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(after[i], before[i], 1e-5);
}

TEST(Frozen, SplitsBeforeWhatTrainsOrDrops) {
  const Model model = backbone();
  const auto head = trains(model, "head");
  const ModelParts parts = split_model(fold_frozen(test_device(), model, head, {}), head);
  ASSERT_TRUE(parts.prefix);
  EXPECT_EQ(count(parts.prefix->graph, "conv2d"), 2);
  EXPECT_EQ(count(parts.prefix->graph, "dropout_infer"), 0);
  EXPECT_EQ(count(parts.rest.graph, "conv2d"), 0);
  EXPECT_EQ(count(parts.rest.graph, "dropout_infer"), 1);
  const std::vector<int> data = data_inputs(parts.rest);
  ASSERT_EQ(data.size(), 1u);
  const Port& feature = parts.rest.graph.inputs[static_cast<size_t>(data.front())];
  EXPECT_EQ(to_string(parts.rest.graph.type(feature.value)), "f32[N, 16, 1, 1]");
  EXPECT_TRUE(parts.rest.parameters.contains("fc.weight"));
  EXPECT_FALSE(parts.rest.parameters.contains("conv1.weight"));

  const auto all = trains(model, "all");
  EXPECT_FALSE(split_model(fold_frozen(test_device(), model, all, {}), all).prefix) << "nothing is frozen";
}

TEST(Frozen, AStepOfTheRestHasNothingOfThePrefix) {
  const Model model = backbone();
  const auto head = trains(model, "head");
  const ModelParts parts = split_model(fold_frozen(test_device(), model, head, {}), head);
  const Graph step = build_step(parts.rest, {.batch = 4, .trainable = head});
  for (const char* op :
       {"conv2d", "conv_input_grad", "conv_weight_grad", "batch_norm_infer", "batch_norm_grad"})
    EXPECT_EQ(count(step, op), 0) << op;
  EXPECT_FALSE(step.find_input("input.input"));
}

// A sample's features are the same bits wherever it stands in a batch and whoever stands beside it.
TEST(Frozen, FeaturesDoNotDependOnTheBatch) {
  const Model model = backbone();
  const auto head = trains(model, "head");
  const ModelParts parts = split_model(fold_frozen(test_device(), model, head, {}), head);
  FrozenPrefix prefix(test_device(), *parts.prefix, 8, {});
  ASSERT_EQ(prefix.feature_types().size(), 1u);
  const Tensor inputs = pictures(21, 2);
  std::vector<Tensor> together = {Tensor({DType::f32, {21, 16}})}, alone = together;
  prefix.compute(inputs, together, 0);
  for (int64_t i = 20; i >= 0; --i) {
    Tensor one({DType::f32, {1, 3, 8, 8}});
    std::memcpy(one.mutable_data(), inputs.data() + i * one.bytes(), static_cast<size_t>(one.bytes()));
    prefix.compute(one, alone, i);
  }
  EXPECT_EQ(std::memcmp(together[0].data(), alone[0].data(), static_cast<size_t>(alone[0].bytes())), 0);
}

}  // namespace
}  // namespace temper
