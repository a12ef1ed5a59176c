// Training in bf16 beside f32: near it step by step, with f32 parameters, equal bits and resumption as ever.
#include <gmock/gmock.h>

#include <cmath>

#include "formats/format.h"
#include "nn/layers.h"
#include "nn/models.h"
#include "ops/primitives.h"
#include "support/expect_error.h"
#include "train/bench_step.h"
#include "train/checkpoint.h"
#include "unit/train/run.h"

namespace temper {
namespace {

using testing::Contains;
using testing::HasSubstr;

// input[N, 3, 16, 16] -> stages of residual blocks of 8 and 16 channels, as in resnet20 -> dense 10
Model residual_net() {
  Model model;
  Builder b(model.graph);
  nn::Layers layers(model, 1);
  const auto block = [&](const std::string& name, Value x, int64_t channels, int64_t stride) {
    Value y = layers.conv(name + ".conv1", x,
                          {.channels = channels, .stride = stride, .padding = 1, .bias = false});
    y = layers.activation(name + ".relu", layers.batch_norm(name + ".bn1", y), "relu");
    y = layers.conv(name + ".conv2", y, {.channels = channels, .padding = 1, .bias = false});
    y = layers.batch_norm(name + ".bn2", y);
    if (b.shape(y) != b.shape(x))
      x = layers.conv(name + ".short", x, {.channels = channels, .window = 1, .stride = stride});
    return layers.activation(name + ".out", ops::add(layers.builder(), x, y), "relu");
  };
  Value y = layers.builder().input("input", {DType::f32, {Dim::symbol("N"), 3, 16, 16}});
  y = layers.conv("stem", y, {.channels = 8, .padding = 1, .bias = false});
  y = layers.activation("relu", layers.batch_norm("bn", y), "relu");
  y = block("a", block("b", y, 8, 1), 8, 1);
  y = block("d", block("c", y, 16, 2), 16, 1);
  layers.builder().output("output", layers.dense("fc", layers.global_avg_pool("gap", y), 10));
  return model;
}

std::vector<double> losses(const Model& model, DType precision, int steps) {
  CompileOptions compile;
  compile.threads = 2;
  StepBench bench(test_device(), model, {.batch = 8, .seed = 3, .precision = precision}, compile);
  std::vector<double> result;
  for (int i = 0; i < steps; ++i) {
    bench.run();
    result.push_back(bench.loss_last());
  }
  return result;
}

TEST(Precision, TwentyStepsStayNearThoseInF32) {
  for (const auto& [name, model] : {std::pair{"mlp", nn::build_model("mlp:64-32-10", 1)},
                                    {"cnn", nn::build_model("cnn", 1)},
                                    {"resnet", residual_net()}}) {
    const std::vector<double> exact = losses(model, DType::f32, 20), lower = losses(model, DType::bf16, 20);
    EXPECT_LT(exact.back(), exact.front()) << name << " learns";
    for (size_t i = 0; i < exact.size(); ++i)
      EXPECT_NEAR(lower[i], exact[i], 0.02 * exact[0]) << name << ", step " << i;
    EXPECT_NE(lower, exact) << name << " computes in f32";
  }
}

TEST(Precision, AStepMovesHalfTheBytesAndReordersNothing) {
  if (test_device().facts().target.facts.at("isa").find("avx512") == std::string::npos)
    GTEST_SKIP() << "skipped, because without AVX-512 contractions run in f32";
  const auto bytes = [](DType precision) {
    StepBench bench(test_device(), residual_net(), {.batch = 32, .precision = precision}, {});
    int64_t sum = 0;
    for (const LaunchProfile& launch : bench.executable().launches()) {
      EXPECT_NE(launch.kind, "reorder") << launch.name;
      EXPECT_NE(launch.kind, "copy") << launch.name;
      sum += launch.bytes;
    }
    return sum;
  };
  const int64_t exact = bytes(DType::f32), lower = bytes(DType::bf16);
  EXPECT_LT(lower, exact * 6 / 10) << "of " << exact;
}

class PrecisionRuns : public testing::Test {
 protected:
  PrecisionRuns() : data_(write_quarters(folder_, 400, 100)) {}

  Recipe recipe(const std::string& out) const {
    Recipe recipe = small_recipe(folder_, data_, out);
    recipe.precision = "bf16";
    return recipe;
  }
  std::string run(const std::string& out) const { return (folder_.path() / out).string(); }
  TrainResult go(const Recipe& recipe) {
    KeptEvents events;
    const TrainResult result = train(recipe, events);
    notes_ = events.notes;
    return result;
  }

  TemporaryFolder folder_;
  std::string data_;
  std::vector<std::string> notes_;
};

TEST_F(PrecisionRuns, LearnAndKeepTheirStateInF32) {
  const TrainResult result = go(recipe("run"));
  EXPECT_EQ(result.precision, "bf16");
  EXPECT_GT(result.test->accuracy, 0.9);
  for (const auto& [name, tensor] : read_checkpoint(run("run") + "/last.ckpt").state)
    EXPECT_NE(tensor.dtype(), DType::bf16) << name;
  for (const auto& [name, tensor] : read_model(run("run") + "/model.onnx").parameters)
    EXPECT_NE(tensor.dtype(), DType::bf16) << name;
  for (const char* precision : {"f32", "bf16"}) {
    KeptEvents events;
    const Evaluation again =
        evaluate({.model = run("run"), .data = data_, .split = "test", .precision = precision}, events);
    EXPECT_NEAR(again.accuracy, result.test->accuracy, 0.03) << precision;
    EXPECT_NEAR(again.loss, result.test->loss, 0.02) << precision;
  }
}

TEST_F(PrecisionRuns, HaveTheSameBitsWithAnyTeamAndAfterResuming) {
  Recipe one = recipe("one"), two = recipe("two"), halves = recipe("halves");
  two.threads = 2;
  go(one);
  go(two);
  halves.epochs = 1;
  go(halves);
  halves.epochs = one.epochs, halves.resume = true;
  go(halves);
  EXPECT_EQ(bytes_of(run("one") + "/model.onnx"), bytes_of(run("two") + "/model.onnx"));
  EXPECT_EQ(bytes_of(run("one") + "/model.onnx"), bytes_of(run("halves") + "/model.onnx"));
}

TEST_F(PrecisionRuns, TheFrozenPartSaysWhatItsPrecisionChanges) {
  Recipe recipe = small_recipe(folder_, data_, "frozen");
  recipe.model = "mlp:64-32-16-4", recipe.trainable = "last:1", recipe.val_split = 0.25;
  recipe.frozen_precision = "bf16", recipe.max_drop = 10;
  const TrainResult result = go(recipe);
  ASSERT_TRUE(result.val_exact);
  EXPECT_NEAR(result.val_exact->loss, result.val->loss, 0.01);
  EXPECT_NE(result.val_exact->loss, result.val->loss) << "another arithmetic";
  EXPECT_THAT(notes_, Contains(HasSubstr("the frozen part in bf16 gives validation accuracy")));
}

TEST(FrozenEffect, IsSaidAndRefusedAboveTheLimit) {
  Recipe recipe;
  recipe.frozen_precision = "bf16", recipe.max_drop = 1;
  EXPECT_EQ(
      frozen_effect(recipe, {0.5, 0.75}, {0.25, 0.7578125}),
      "the frozen part in bf16 gives validation accuracy 75 % and loss 0.5, in f32 75.78125 % and loss 0.25");
  for (const double accuracy : {0.73, 0.77})
    expect_error(ErrorKind::invalid, "more than --max-drop 1 apart; use --frozen-precision f32",
                 [&] { frozen_effect(recipe, {0.5, 0.75}, {0.5, accuracy}); });
}

}  // namespace
}  // namespace temper
