#include "nn/head.h"

#include <gtest/gtest.h>

#include "nn/layers.h"
#include "nn/models.h"
#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "ops/rows.h"
#include "support/expect_error.h"
#include "support/wave.h"

namespace temper::nn {
namespace {

const Dim kBatch = Dim::symbol("N");

TEST(Head, IsReadStepByStep) {
  const std::vector<HeadStep> steps = parse_head("gap, dense:1024:relu,dropout:0.5,bn,dense");
  const std::vector<HeadStep> expected{{.kind = HeadStep::gap},
                                       {.kind = HeadStep::dense, .units = 1024, .activation = "relu"},
                                       {.kind = HeadStep::dropout, .rate = 0.5},
                                       {.kind = HeadStep::bn},
                                       {.kind = HeadStep::dense}};
  EXPECT_EQ(steps, expected);
  EXPECT_EQ(parse_head("dense:tanh").front(), (HeadStep{.kind = HeadStep::dense, .activation = "tanh"}));
}

TEST(Head, WrongStepsAreNamed) {
  const auto refused = [](const std::string& text, const std::string& part) {
    expect_error(ErrorKind::invalid, part, [&] { parse_head(text); });
  };
  refused("gap,densee", "step \"densee\": did you mean dense?");
  refused("gap,attention", "expected one of gap, gmp, flatten, dense, dropout, bn");
  refused("dense:0", "found \"0\"");
  refused("dense:relu:8", "found \"relu\"");
  refused("dropout", "expected dropout:P");
  refused("dropout:1", "expected dropout:P with P in [0, 1)");
  refused("gap:2", "gap takes no options");
  refused("gap,,dense", "step \"\"");
}

TEST(Cut, IsBeforeTheLastGlobalPooling) {
  EXPECT_EQ(default_cut(build_model("resnet18", 0)).name, "layer4.1.relu");
  EXPECT_EQ(default_cut(build_model("mobilenet_v2", 0)).name, "features.18.2");
}

TEST(Cut, IsTheLastSpatialMapOrWhatTheLastDenseLayerReads) {
  const Model cnn = build_model("cnn", 0), mlp = build_model("mlp:6-5-4", 0);
  EXPECT_EQ(default_cut(cnn).name, "5");
  EXPECT_EQ(cnn.graph.type(default_cut(cnn).value).shape, (Shape{kBatch, 64, 8, 8}));
  EXPECT_EQ(default_cut(mlp).name, "1");
}

// As converters from channels-last formats leave it: the map is transposed before it is pooled.
TEST(Cut, IsNotATransposedMap) {
  Model model;
  Layers layers(model, 0);
  Builder& b = layers.builder();
  Value x = b.input("input", {DType::f32, {kBatch, 3, 8, 8}});
  x = layers.activation("relu", layers.conv("conv", x, {.channels = 5, .padding = 1}), "relu");
  b.set_default_name("nhwc");
  x = ops::reduce_mean(b, ops::transpose(b, x, {0, 2, 3, 1}), {1, 2});
  b.output("output", layers.dense("fc", x, 7));
  EXPECT_EQ(default_cut(model).name, "relu");
}

TEST(Cut, IsFoundByNameWithASuggestion) {
  const Model model = build_model("cnn", 0);
  EXPECT_EQ(model.graph.type(find_cut(model, "8").value).shape, (Shape{kBatch, 512}));
  EXPECT_EQ(find_cut(model, "input").value, model.graph.find_input("input"));
  EXPECT_EQ(find_cut(model, "output").value, model.graph.find_output("output"));
  const Model resnet = build_model("resnet18", 0);
  expect_error(ErrorKind::invalid, "did you mean layer4.1.relu?", [&] { find_cut(resnet, "layer4.1.rely"); });
}

TEST(Cut, AModelWithoutLayersHasNone) {
  Model model;
  Builder b(model.graph);
  b.output("y", b.input("x", {DType::f32, {kBatch, 3}}));
  expect_error(ErrorKind::invalid, "name a value with --cut", [&] { default_cut(model); });
  expect_error(ErrorKind::invalid, "no dense layer to replace", [&] { replace_last_dense(model, 2, 0); });
}

TEST(Head, ReplacesWhatIsAfterTheCut) {
  Model model = build_model("mobilenet_v2", 0);
  const size_t before = model.parameters.size();
  const NewHead head = attach_head(model, default_cut(model), parse_head("gap,dense:1024:relu,dense"), 10, 0);
  EXPECT_EQ(head.steps, "gap,dense:1024:relu,dense");
  EXPECT_EQ(to_string(head.shape), "[1280, 7, 7]");
  EXPECT_EQ(head.parameters,
            (std::vector<std::string>{"head.1.bias", "head.1.weight", "head.2.bias", "head.2.weight"}));
  EXPECT_EQ(head.dropped, (std::vector<std::string>{"classifier.1.weight", "classifier.1.bias"}));
  EXPECT_EQ(model.parameters.size(), before + 2);
  verify(model.graph);
  check(model);
  ASSERT_EQ(model.graph.outputs.size(), 1u);
  EXPECT_EQ(model.graph.type(model.graph.find_output("output")), (Type{DType::f32, {kBatch, 10}}));
  for (const Node& node : model.graph.nodes()) EXPECT_NE(node.name, "classifier.0") << "a dead node stayed";
}

TEST(Head, ComputesItsSteps) {
  Model model;
  Layers layers(model, 0);
  const Value x = layers.builder().input("x", {DType::f64, {2, 3, 2, 2}});
  layers.builder().output("y", layers.conv("conv", x, {.channels = 1, .window = 1}));
  attach_head(model, find_cut(model, "x"), parse_head("gmp,bn,dense:tanh"), 2, 0);
  EXPECT_FALSE(model.parameters.contains("conv.weight"));
  const Tensor input = wave({DType::f64, {2, 3, 2, 2}}, 0);
  std::vector<Tensor> inputs;
  for (const Port& port : model.graph.inputs)
    inputs.push_back(port.name == "x" ? input : model.parameters.at(port.name));
  const std::vector<double> found = to_doubles(interpret(model.graph, inputs).front());
  const std::vector<double> values = to_doubles(input),
                            weight = to_doubles(model.parameters.at("head.2.weight")),
                            bias = to_doubles(model.parameters.at("head.2.bias"));
  for (size_t n = 0; n < 2; ++n) {
    for (size_t unit = 0; unit < 2; ++unit) {
      double sum = bias[unit];
      for (size_t c = 0; c < 3; ++c) {
        const auto first = values.begin() + static_cast<int64_t>(4 * (3 * n + c));
        sum += *std::max_element(first, first + 4) / std::sqrt(1 + 1e-5) * weight[3 * unit + c];
      }
      EXPECT_NEAR(found[2 * n + unit], std::tanh(sum), 1e-12);
    }
  }
}

TEST(Head, AFailedHeadLeavesTheModelAlone) {
  Model model = build_model("cnn", 0);
  const Graph before = model.graph;
  const auto refused = [&](const std::string& steps, const std::string& part) {
    expect_error(ErrorKind::invalid, part,
                 [&] { attach_head(model, default_cut(model), parse_head(steps), 10, 0); });
    EXPECT_TRUE(same(model.graph, before));
  };
  refused("dense",
          "step \"dense\": expected [batch, features] before it, found [N, 64, 8, 8]: put gap or flatten");
  refused("gap,gap", "step \"gap\": expected [batch, channels, height, width] before it, found [N, 64]");
  refused("gap", "it gives [N, 64] but the data have 10 classes");
}

TEST(Head, TheLastDenseLayerIsReplacedEvenBehindAConvolution) {
  Model cnn = build_model("cnn", 0);
  EXPECT_EQ(replace_last_dense(cnn, 3, 0).steps, "dense");
  EXPECT_EQ(cnn.graph.type(cnn.graph.find_output("output")).shape, (Shape{kBatch, 3}));
  EXPECT_TRUE(cnn.parameters.contains("7.weight"));
  EXPECT_FALSE(cnn.parameters.contains("9.weight"));

  Model squeeze;
  Layers layers(squeeze, 0);
  Value x = layers.builder().input("input", {DType::f32, {kBatch, 3, 8, 8}});
  x = layers.activation("relu", layers.conv("features", x, {.channels = 5}), "relu");
  x = layers.global_avg_pool("pool", layers.conv("classifier", x, {.channels = 1000, .window = 1}));
  layers.builder().output("output", x);
  EXPECT_EQ(replace_last_dense(squeeze, 4, 0).steps, "gap,dense");
  EXPECT_FALSE(squeeze.parameters.contains("classifier.weight"));
  EXPECT_EQ(squeeze.graph.type(squeeze.graph.find_output("output")).shape, (Shape{kBatch, 4}));
}

TEST(Head, ASecondHeadGetsNamesOfItsOwn) {
  Model model = build_model("mlp:6-5-4", 0);
  attach_head(model, find_cut(model, "1"), parse_head("dense:8:relu,dense"), 3, 0);
  const NewHead second = attach_head(model, find_cut(model, "head.0.relu"), parse_head("dense"), 2, 0);
  EXPECT_EQ(second.parameters, (std::vector<std::string>{"head2.0.bias", "head2.0.weight"}));
  EXPECT_TRUE(model.parameters.contains("head.0.weight"));
}

}  // namespace
}  // namespace temper::nn
