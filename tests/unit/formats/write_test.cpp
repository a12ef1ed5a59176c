// Written models are the same models: nodes, names, metadata, bytes.
#include <gtest/gtest.h>

#include <map>

#include "base/file.h"
#include "ir/builder.h"
#include "onnx_file.h"
#include "ops/primitives.h"
#include "support/data.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace temper {
namespace {

std::map<std::string, int> histogram(const onnx::ModelDef& file) {
  std::map<std::string, int> counts;
  for (const onnx::NodeDef& node : file.graph.nodes)
    if (node.op_type != "Constant") ++counts[node.op_type];
  return counts;
}

TEST(WriteTest, MobileNetComesBackAsItsOwnOperators) {
  const std::string path = shipped_data("mobilenet_v1_0.25_224.onnx").string();
  const Model model = read_model(path);
  const std::string bytes = onnx::onnx_bytes(model, {});
  const onnx::ModelDef before = onnx::parse_file(path), after = onnx::parse_bytes(bytes, "written.onnx");
  EXPECT_EQ(histogram(after), histogram(before));
  std::set<std::string> names, kept;
  for (const onnx::InitializerDef& entry : before.graph.initializers) names.insert(entry.name);
  for (const onnx::InitializerDef& entry : after.graph.initializers) kept.insert(entry.name);
  EXPECT_EQ(kept, names);
  ASSERT_EQ(after.graph.inputs.size(), 1u);
  EXPECT_EQ(*after.graph.inputs[0].shape, (Shape{Dim::symbol("N"), 3, 224, 224}));
}

TEST(WriteTest, SingleNumbersKeepTheirNames) {
  const Tensor two = Tensor::scalar(2.0f), low = Tensor::scalar(-1.0f), high = Tensor::scalar(6.0f);
  const Model model =
      read(file({node("Mul", {"x", "factor"}, {"a"}), node("Clip", {"a", "low", "high"}, {"b"}),
                 node("Sub", {"b", "factor"}, {"y"})},
                {2, 4}, {{"factor", two}, {"low", low}, {"high", high}}));
  EXPECT_TRUE(model.parameters.empty());  // they are constants
  const onnx::ModelDef again = onnx::parse_bytes(onnx::onnx_bytes(model, {}), "written.onnx");
  std::map<std::string, double> numbers;
  for (const onnx::InitializerDef& entry : again.graph.initializers)
    numbers[entry.name] = to_doubles(entry.tensor)[0];
  EXPECT_EQ(numbers, (std::map<std::string, double>{{"factor", 2}, {"low", -1}, {"high", 6}}));
}

TEST(WriteTest, TheSameModelGivesTheSameBytes) {
  const Model model = read_model(shipped_data("mobilenet_v1_0.25_224.onnx").string());
  const std::string first = onnx::onnx_bytes(model, {});
  EXPECT_EQ(onnx::onnx_bytes(model, {}), first);
  EXPECT_EQ(onnx::onnx_bytes(onnx::read_onnx(first, "first.onnx", {}), {}), first);
}

TEST(WriteTest, LabelsAndPreprocessingGoAlong) {
  Model model = read(file({node("Relu", {"x"}, {"y"})}, {2, 4}));
  model.labels = {"a", "b c"};
  model.preprocess = parse_preprocess("tf", 224, 224);
  model.metadata["author"] = "someone";
  const Model again = onnx::read_onnx(onnx::onnx_bytes(model, {}), "again.onnx", {});
  EXPECT_EQ(again.labels, model.labels);
  EXPECT_EQ(again.preprocess, model.preprocess);
  EXPECT_EQ(again.metadata, model.metadata);
  model.labels = {"a\nb"};
  expect_error(ErrorKind::invalid, "line break", [&] { onnx::onnx_bytes(model, {}); });
}

TEST(WriteTest, OpsetsThatCannotBeWrittenAreRefused) {
  const Model model = read(file({node("Relu", {"x"}, {"y"})}, {2, 4}));
  expect_error(ErrorKind::invalid, "only 13 to 21", [&] { onnx::onnx_bytes(model, {.opset = 12}); });
  for (int opset = 13; opset <= 21; ++opset)
    EXPECT_NO_THROW(onnx::read_onnx(onnx::onnx_bytes(model, {.opset = opset}), "again.onnx", {}));
}

TEST(WriteTest, NodesWithoutAFormAreAllNamed) {
  const Model model = read(file({node("BitCast", {"x"}, {"a"}, {{"to", int64_t{6}}}),
                                 node("BitCast", {"a"}, {"y"}, {{"to", int64_t{1}}})},
                                {2, 4}, {}, 26));
  expect_error(ErrorKind::unsupported, "ONNX has no form for", [&] { onnx::onnx_bytes(model, {}); });
}

TEST(WriteTest, LayerNormIsOneNodeFromOpset17AndItsPartsBefore) {
  const Model model = read(file({node("LayerNormalization", {"x", "s", "b"}, {"y"})}, {2, 4},
                                {{"s", floats({4})}, {"b", floats({4})}}));
  const auto at = [&](int opset) {
    return histogram(onnx::parse_bytes(onnx::onnx_bytes(model, {.opset = opset}), "written.onnx"));
  };
  EXPECT_EQ(at(17), (std::map<std::string, int>{{"LayerNormalization", 1}}));
  EXPECT_FALSE(at(16).contains("LayerNormalization"));
  for (const int opset : {16, 17}) {  // its parts are read as what they were
    const Model again = onnx::read_onnx(onnx::onnx_bytes(model, {.opset = opset}), "again.onnx", {});
    EXPECT_EQ(again.graph.size(), model.graph.size()) << opset;
  }
}

// A Cast beyond the range may give anything; ours saturates.
TEST(WriteTest, CastsToNarrowIntegersAreClipped) {
  const auto operators = [](int64_t to) {
    const Model model = read(
        file({node("Cast", {"x"}, {"i"}, {{"to", to}}), node("Cast", {"i"}, {"y"}, {{"to", int64_t{1}}})},
             {2, 4}));
    return histogram(onnx::parse_bytes(onnx::onnx_bytes(model, {}), "written.onnx"));
  };
  for (const int64_t to : {2, 3, 4, 5})  // u8, i8, u16, i16
    EXPECT_EQ(operators(to), (std::map<std::string, int>{{"Clip", 1}, {"Cast", 2}})) << to;
  for (const int64_t to : {6, 7, 9, 10})  // i32, i64, booleans, f16
    EXPECT_EQ(operators(to), (std::map<std::string, int>{{"Cast", 2}})) << to;
}

TEST(WriteTest, ConvolutionsOfBytesComeBack) {
  const auto operators = [](const Shape& zero) {
    Tensor weights(Type{DType::u8, {3, 2, 2, 2}}), zeros(Type{DType::u8, zero});
    const Model model = read(file(
        {node("Cast", {"x"}, {"i"}, {{"to", int64_t{2}}}), node("ConvInteger", {"i", "w", "xz", "wz"}, {"c"}),
         node("Cast", {"c"}, {"y"}, {{"to", int64_t{1}}})},
        {1, 2, 5, 5}, {{"w", weights}, {"xz", Tensor(Type{DType::u8, {}})}, {"wz", zeros}}));
    return histogram(onnx::parse_bytes(onnx::onnx_bytes(model, {}), "written.onnx"));
  };
  const std::map<std::string, int> expected{{"Clip", 1}, {"Cast", 2}, {"ConvInteger", 1}};
  EXPECT_EQ(operators({}), expected);
  EXPECT_EQ(operators({3}), expected);
}

// Of other integers ONNX knows no convolution.
TEST(WriteTest, ConvolutionsOfWiderIntegersAreInDouble) {
  Model model;
  Builder b(model.graph);
  const Value x = b.input("x", {DType::i32, {1, 2, 5, 5}}), w = b.input("w", {DType::i32, {3, 2, 2, 2}});
  b.output("y", ops::conv_general(b, x, w, {{1, 1}, {0, 0}, {0, 0}, {1, 1}, {1, 1}}));
  const onnx::ModelDef written = onnx::parse_bytes(onnx::onnx_bytes(model, {}), "written.onnx");
  EXPECT_EQ(histogram(written), (std::map<std::string, int>{{"Cast", 3}, {"Conv", 1}}));
}

TEST(WriteTest, TheNativeFolderIsTheSameModel) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "m.temper").string();
  Model model = read_model(shipped_data("mobilenet_v1_0.25_224.onnx").string());
  model.labels = {"one", "two"};
  write_model(model, path);
  write_model(model, path);  // over what is there
  const Model again = read_model(path + "/");
  EXPECT_TRUE(same(again.graph, model.graph));
  EXPECT_EQ(again.labels, model.labels);
  EXPECT_EQ(again.name, model.name);
  EXPECT_EQ(again.parameters.size(), model.parameters.size());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  std::filesystem::create_directories(folder.path() / "other.temper");
  expect_error(ErrorKind::invalid, "other than a model",
               [&] { write_model(model, (folder.path() / "other.temper").string()); });
}

}  // namespace
}  // namespace temper
