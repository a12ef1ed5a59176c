#include "train/frozen_cut.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "nn/layers.h"
#include "ops/primitives.h"
#include "support/wave.h"
#include "unit/train/other_device.h"
#include "unit/train/run.h"

namespace temper {
namespace {

using testing::HasSubstr;

// x -> conv1 -> relu1, a block with a sum around it, conv3 -> gap
Model prefix_model() {
  Model model;
  Builder b(model.graph);
  const Value x = b.input("input", {DType::f32, {Dim::symbol("N"), 3, 8, 8}});
  nn::Layers layers(model, 3);
  const Value y = layers.activation("relu1", layers.conv("conv1", x, {.channels = 8, .padding = 1}), "relu");
  const Value inner = layers.conv("conv2", y, {.channels = 8, .padding = 1});
  layers.builder().set_default_name("sum");
  const Value sum = layers.activation("relu2", ops::add(layers.builder(), inner, y), "relu");
  const Value last = layers.conv("conv3", sum, {.channels = 4, .stride = 2});
  layers.builder().output("feature.0", layers.global_avg_pool("gap", last));
  return model;
}

std::vector<Tensor> features(FrozenPart& part, const Tensor& inputs) {
  std::vector<Tensor> rows;
  for (Type type : part.feature_types()) {
    type.shape[0] = type.shape.size(0) * inputs.shape().size(0);
    rows.emplace_back(type);
  }
  part.compute(inputs, rows, 0);
  return rows;
}

// Both devices are the CPU: however it is cut, the features are the same.
TEST(FrozenCut, TwoPartsGiveWhatTheWholeGives) {
  const Model model = prefix_model();
  const std::vector<CutPoint> points = cut_points(model);
  std::vector<std::string> names;
  for (const CutPoint& point : points) names.push_back(point.name);
  EXPECT_THAT(names, testing::IsSupersetOf({"relu1", "sum", "relu2"}));
  EXPECT_THAT(names, testing::Not(testing::Contains("conv2"))) << "relu1 is read again";
  const Tensor inputs = wave({DType::f32, {11, 3, 8, 8}}, 0);
  FrozenPart whole(std::make_unique<FrozenPrefix>(other_device(), model, 4, CompileOptions{}), test_device());
  const std::vector<Tensor> expected = features(whole, inputs);
  for (const CutPoint& point : points) {
    const CutModels parts = cut_at(model, point.value);
    EXPECT_EQ(data_inputs(parts.end).size(), 1) << point.name;
    EXPECT_LT(work_of_sample(parts.beginning), work_of_sample(model)) << point.name;
    FrozenPart two(std::make_unique<FrozenPrefix>(other_device(), parts.beginning, 4, CompileOptions{}),
                   test_device(),
                   std::make_unique<FrozenPrefix>(test_device(), parts.end, 4, CompileOptions{}), point.name);
    EXPECT_THAT(two.devices(), HasSubstr(point.name));
    const std::vector<Tensor> found = features(two, inputs);
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_TRUE(expected[i] == found[i]) << point.name << " " << i;
    std::vector<Tensor> made;
    two.begin(inputs, made);
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(two.end(made)[i] == expected[i]) << point.name;
  }
}

// Whatever is chosen is remembered, and said.
TEST(FrozenCut, AMeasuredCutIsKept) {
  const TemporaryFolder folder;
  setenv("TEMPER_CACHE", folder.path().c_str(), 1);
  const Model model = prefix_model();
  const CompileOptions compile;
  const auto load = [&](double worth, KeptEvents& events) {
    return load_frozen_part({.frozen = other_device(),
                             .trainer = test_device(),
                             .prefix = model,
                             .batch = 4,
                             .compile = compile,
                             .training_work = 1,
                             .samples = 100,
                             .worth_seconds = worth},
                            events);
  };
  KeptEvents short_job, first, second;
  EXPECT_EQ(load(1e6, short_job)->devices(), "other");
  EXPECT_TRUE(short_job.notes.empty());
  const std::string chosen = load(0, first)->devices();
  ASSERT_EQ(first.notes.size(), 1);
  EXPECT_THAT(first.notes[0], HasSubstr("the frozen part "));
  EXPECT_THAT(first.notes[0], HasSubstr(" ms"));
  other_runs().count = 0;
  EXPECT_EQ(load(0, second)->devices(), chosen);
  EXPECT_EQ(other_runs().count, 0) << "it was measured before";
  setenv("TEMPER_CACHE", "off", 1);
}

}  // namespace
}  // namespace temper
