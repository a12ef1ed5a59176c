#include "train/step.h"

#include <gmock/gmock.h>

#include <set>

#include "nn/layers.h"
#include "nn/models.h"
#include "support/expect_error.h"
#include "train/trainable.h"
#include "unit/train/run.h"

namespace temper {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;
using testing::UnorderedElementsAre;

// x[N, 2, 4, 4] -> conv 3x3 -> batch norm -> relu -> gap -> dense 8 -> relu -> dropout -> dense 3
Model small_cnn() {
  Model model;
  Builder b(model.graph);
  const Value x = b.input("x", {DType::f32, {Dim::symbol("N"), 2, 4, 4}});
  nn::Layers layers(model, 1);
  Value y = layers.conv("conv", x, {.channels = 4, .padding = 1});
  y = layers.activation("relu", layers.batch_norm("norm", y), "relu");
  y = layers.dense("hidden", layers.global_avg_pool("gap", y), 8);
  y = layers.dropout("drop", layers.activation("relu2", y, "relu"), 0.5);
  y = layers.dense("out", y, 3);
  model.graph.outputs.push_back({"y", y});
  return model;
}

std::set<std::string> trainable(const Model& model, std::string_view what, std::string_view freeze = "") {
  return trainable_parameters(model, what, freeze, {});
}

int count(const Graph& graph, std::string_view op) {
  int found = 0;
  for (const Node& node : graph.nodes()) found += node.op->name == op;
  return found;
}

TEST(Trainable, KnowsWhatParametersAreFor) {
  const auto roles = parameter_roles(small_cnn());
  EXPECT_EQ(roles.at("conv.weight"), ParameterRole::weight);
  EXPECT_EQ(roles.at("conv.bias"), ParameterRole::bias);
  EXPECT_EQ(roles.at("norm.weight"), ParameterRole::norm);
  EXPECT_EQ(roles.at("norm.bias"), ParameterRole::norm);
  EXPECT_EQ(roles.at("norm.running_mean"), ParameterRole::statistic);
  EXPECT_EQ(roles.at("norm.running_var"), ParameterRole::statistic);
  EXPECT_EQ(roles.at("out.weight"), ParameterRole::weight);
  EXPECT_EQ(roles.at("out.bias"), ParameterRole::bias);
}

TEST(Trainable, FollowsTheWords) {
  const Model model = small_cnn();
  EXPECT_THAT(trainable(model, "head"), UnorderedElementsAre("out.weight", "out.bias"));
  EXPECT_THAT(trainable(model, "last:2"),
              UnorderedElementsAre("hidden.weight", "hidden.bias", "out.weight", "out.bias"));
  EXPECT_THAT(trainable(model, "bias"), UnorderedElementsAre("conv.bias", "hidden.bias", "out.bias"));
  EXPECT_THAT(trainable(model, "norm"), UnorderedElementsAre("norm.weight", "norm.bias"));
  EXPECT_THAT(trainable(model, "^(out|norm)"),
              UnorderedElementsAre("out.weight", "out.bias", "norm.weight", "norm.bias"));
  EXPECT_EQ(trainable(model, "all").size(), model.parameters.size() - 2);
  EXPECT_THAT(trainable(model, "all", "conv|norm|hidden"), UnorderedElementsAre("out.weight", "out.bias"));
  EXPECT_THAT(trainable_parameters(model, "head", "", {"hidden.bias"}), ElementsAre("hidden.bias"));
}

TEST(Trainable, NamesTheMistake) {
  const Model model = small_cnn();
  expect_error(ErrorKind::invalid, "trainable: \"nothing\" matches no parameter; it takes head, all, last:N",
               [&] { trainable(model, "nothing"); });
  expect_error(ErrorKind::invalid, "trainable: \"(\" is not a regular expression",
               [&] { trainable(model, "("); });
  expect_error(ErrorKind::invalid, "trainable: expected last:N with N of at least 1, found \"last:0\"",
               [&] { trainable(model, "last:0"); });
  expect_error(ErrorKind::invalid, "trainable: last:9, but the model has 4 layers",
               [&] { trainable(model, "last:9"); });
  expect_error(ErrorKind::invalid, "freeze: \".\" leaves nothing of --trainable head to train",
               [&] { trainable(model, "head", "."); });
  expect_error(ErrorKind::unsupported, "trainable: lora is not there yet",
               [&] { trainable(model, "lora:4"); });
}

TEST(Step, HasNoGradientOfWhatIsFrozen) {
  const Model model = small_cnn();
  StepOptions options{.batch = 2, .trainable = trainable(model, "all")};
  const Graph whole = build_step(model, options);
  EXPECT_EQ(count(whole, "conv_weight_grad"), 1);
  EXPECT_EQ(count(whole, "conv_input_grad"), 0) << "nothing reads the gradient of the input";
  EXPECT_EQ(count(whole, "batch_norm_act_grad"), 1);
  EXPECT_EQ(count(whole, "batch_norm_act_train"), 1) << "with its relu";

  options.trainable = trainable(model, "head");
  const Graph head = build_step(model, options);
  for (const char* op : {"conv_weight_grad", "conv_input_grad", "batch_norm_act_grad", "batch_norm_act_train",
                         "avg_pool_grad"})
    EXPECT_EQ(count(head, op), 0) << op;
  EXPECT_THAT(state_names(head),
              UnorderedElementsAre("param.out.weight", "param.out.bias", "slot.out.weight.m",
                                   "slot.out.weight.v", "slot.out.bias.m", "slot.out.bias.v", "key",
                                   "stat.loss", "stat.weight", "stat.correct", "stat.top5", "stat.bad_step"));
  for (const Node& node : head.nodes())
    EXPECT_EQ(node.name.find("hidden.grad"), std::string::npos) << node.name;
}

TEST(Step, UpdatesStatisticsOfNormsThatTrain) {
  const Model model = small_cnn();
  const StepOptions options{.batch = 2, .trainable = trainable(model, "norm")};
  EXPECT_THAT(state_names(build_step(model, options)),
              testing::AllOf(Contains("param.norm.running_mean"), Contains("param.norm.running_var"),
                             Not(Contains("param.conv.weight"))));
}

TEST(Step, GathersWithoutTouchingParameters) {
  const Model model = small_cnn();
  StepOptions options{
      .batch = 2, .trainable = trainable(model, "head"), .ema = 0.9, .part = StepOptions::gather};
  const Graph gather = build_step(model, options);
  EXPECT_THAT(state_names(gather),
              testing::AllOf(Contains("gradient.out.weight"), Contains("gradient_weight"),
                             Not(Contains("param.out.weight")), Not(Contains("ema.out.weight"))));
  EXPECT_FALSE(gather.find_input("hyper.lr"));
  options.part = StepOptions::finish;
  EXPECT_THAT(state_names(build_step(model, options)),
              testing::AllOf(Contains("gradient.out.weight"), Contains("param.out.weight"),
                             Contains("ema.out.weight")));
}

TEST(Step, WantsOneFreeBatch) {
  Model model = small_cnn();
  const StepOptions options{.batch = 3, .trainable = trainable(model, "head")};
  const Graph step = build_step(model, options);
  EXPECT_EQ(to_string(step.type(step.find_input("input.x"))), "f32[3, 2, 4, 4]");
  EXPECT_EQ(to_string(step.type(step.find_input("labels"))), "i64[3]");

  Model fixed;
  Builder b(fixed.graph);
  b.output("y", b.input("x", {DType::f32, {8, 2}}));
  expect_error(ErrorKind::invalid, "input x [8, 2]: its batch is fixed, but a batch of 3 is wanted",
               [&] { with_batch(fixed, 3); });
  Model free;
  Builder c(free.graph);
  c.output("y", c.input("x", {DType::f32, {Dim::symbol("N"), Dim::symbol("W")}}));
  expect_error(ErrorKind::invalid, "has free dimensions besides the batch; fix them with --shape x=...",
               [&] { with_batch(free, 3); });
}

TEST(Eval, GivesProbabilities) {
  const Model model = small_cnn();
  const Graph graph = build_eval(model, {.batch = 2});
  EXPECT_EQ(to_string(graph.type(graph.find_output("scores"))), "f32[2, 3]");
  EXPECT_EQ(to_string(graph.type(graph.find_output("loss"))), "f32[2]");
  EXPECT_EQ(count(graph, "softmax"), 1);
  EXPECT_EQ(count(graph, "dropout"), 0);
  EXPECT_FALSE(build_eval(model, {.batch = 2, .with_loss = false}).find_input("labels"));
}

}  // namespace
}  // namespace temper
