// What the ONNX reader makes of a file: parameters, names, free dimensions, ties.
#include <gmock/gmock.h>

#include <array>

#include "onnx_file.h"
#include "ops/interpreter/interpret.h"
#include "passes/passes.h"
#include "support/expect_error.h"

namespace temper {
namespace {

const Shape& output_shape(const Model& model) { return model.graph.type(model.graph.outputs[0].value).shape; }

TEST(OnnxReadTest, FloatInitialisersBecomeParametersAndIntegersConstants) {
  const Model model = read(file({node("MatMul", {"x", "w"}, {"h"}), node("Reshape", {"h", "s"}, {"y"})},
                                {2, 4}, {{"w", floats({4, 6})}, {"s", integers({3, 4})}}));
  ASSERT_EQ(model.parameters.size(), 1u);
  EXPECT_EQ(model.parameters.at("w").shape(), (Shape{4, 6}));
  EXPECT_EQ(data_inputs(model), std::vector<int>{0});
  check(model);
}

TEST(OnnxReadTest, NodesKeepTheirNames) {
  const Model model = read(file({node("Relu", {"x"}, {"y"})}, {2, 4}));
  EXPECT_EQ(model.graph.node(model.graph.outputs[0].value).name, "y_node");
}

TEST(OnnxReadTest, NamedDimensionsStayFreeThroughShapeArithmetic) {
  // y = reshape(x, [Shape(x)[0], -1]) as exporters write it
  const Model model = read(file(
      {node("Shape", {"x"}, {"s"}), node("Gather", {"s", "zero"}, {"n"}, {{"axis", int64_t{0}}}),
       node("Unsqueeze", {"n", "axis"}, {"n1"}),
       node("Concat", {"n1", "rest"}, {"to"}, {{"axis", int64_t{0}}}), node("Reshape", {"x", "to"}, {"y"})},
      {Dim::symbol("batch"), 3, 4},
      {{"zero", Tensor::scalar(int64_t{0})}, {"axis", integers({0})}, {"rest", integers({-1})}}));
  EXPECT_EQ(output_shape(model), (Shape{Dim::symbol("batch"), 12}));
}

// Heads repeated for grouped queries: y = reshape(x, where(8 % n == 0 and 8 != n, 8 / n, 1)), n the size of
// axis 1.
TEST(OnnxReadTest, LogicOverShapesIsFolded) {
  const Model model =
      read(file({node("Shape", {"x"}, {"s"}), node("Gather", {"s", "one"}, {"n"}),
                 node("Mod", {"eight", "n"}, {"rest"}), node("Equal", {"rest", "zero"}, {"even"}),
                 node("Equal", {"eight", "n"}, {"same"}), node("Not", {"same"}, {"differ"}),
                 node("And", {"even", "differ"}, {"grouped"}), node("Xor", {"even", "grouped"}, {"none"}),
                 node("Or", {"grouped", "none"}, {"repeats"}), node("Div", {"eight", "n"}, {"times"}),
                 node("Where", {"repeats", "times", "one"}, {"first"}),
                 node("Concat", {"first", "rest_of"}, {"to"}, {{"axis", int64_t{0}}}),
                 node("Reshape", {"x", "to"}, {"y"})},
                {3, 4},
                {{"one", integers({1})},
                 {"eight", integers({8})},
                 {"zero", integers({0})},
                 {"rest_of", integers({-1})}}));
  EXPECT_EQ(output_shape(model), (Shape{2, 6}));
}

TEST(OnnxReadTest, ADropoutWithASeedDropsWhatTheReferenceDrops) {
  onnx::NodeDef dropout = node("Dropout", {"x", "ratio", "training"}, {"y"}, {{"seed", int64_t{0}}});
  const Model model = read(file({dropout}, {6},
                                {{"ratio", Tensor::scalar(0.55f)},
                                 {"training", from_int64s({DType::boolean, {}}, std::array{int64_t{1}})}}));
  const Tensor ones = Tensor::from<float>({6}, std::vector<float>(6, 0.45f));
  // numpy.random.seed(0): 0.549 0.715 0.603 0.545 0.424 0.646
  EXPECT_THAT(to_doubles(interpret(model.graph, std::vector{ones})[0]),
              testing::Pointwise(testing::DoubleNear(1e-6), {0, 1, 1, 0, 0, 1}));
}

TEST(OnnxReadTest, AProductReadsATransposedMatrixAsItLies) {
  const Model model = read(file({node("Transpose", {"w"}, {"t"}), node("MatMul", {"x", "t"}, {"y"})}, {2, 3},
                                {{"w", floats({2, 3})}}));
  EXPECT_EQ(model.graph.size(), 3);  // two inputs and the product
  const Tensor x = Tensor::from<float>({2, 3}, std::array<float, 6>{1, 2, 3, 4, 5, 6});
  EXPECT_THAT(to_doubles(interpret(model.graph, std::vector{x, model.parameters.at("w")})[0]),
              testing::ElementsAre(5, 9.5, 11.75, 23));
}

TEST(OnnxReadTest, ABakedInBatchIsFreedWhereSamplesStayAlone) {
  const Model model = read(file({node("Reshape", {"x", "s"}, {"h"}), node("MatMul", {"h", "w"}, {"y"})},
                                {1, 2, 3}, {{"s", integers({1, 6})}, {"w", floats({6, 5})}}));
  EXPECT_EQ(output_shape(model), (Shape{Dim::symbol("N"), 5}));
  // Three samples at once are three samples one by one.
  const Tensor all = floats({3, 2, 3}), w = model.parameters.at("w");
  const std::vector<double> together =
      to_doubles(interpret(specialise(model.graph, {{"N", 3}}), std::vector{all, w})[0]);
  const Graph one = specialise(model.graph, {{"N", 1}});
  for (int64_t i = 0; i < 3; ++i) {
    const Tensor sample =
        Tensor::from<float>({1, 2, 3}, all.values<float>().subspan(static_cast<size_t>(6 * i), 6));
    const std::vector<double> alone = to_doubles(interpret(one, std::vector{sample, w})[0]);
    for (size_t j = 0; j < 5; ++j) EXPECT_EQ(together[static_cast<size_t>(5 * i) + j], alone[j]);
  }
}

TEST(OnnxReadTest, ABatchThatMixesStaysAsItIs) {
  const onnx::ModelDef mixing =
      file({node("ReduceMean", {"x"}, {"y"}, {{"axes", Ints{0}}, {"keepdims", int64_t{1}}})}, {1, 4});
  std::vector<std::string> notes;
  ReadOptions options;
  options.notes = &notes;
  EXPECT_EQ(output_shape(read(mixing, options)), (Shape{1, 4}));
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("y_node"), std::string::npos) << notes[0];
  options.free_batch = FreeBatch::required;
  expect_error(ErrorKind::unsupported, "y_node", [&] { read(mixing, options); });
}

TEST(OnnxReadTest, ShapesFixFreeDimensions) {
  ReadOptions options;
  options.shapes["x"] = {5, 4};
  EXPECT_EQ(output_shape(read(file({node("Relu", {"x"}, {"y"})}, {Dim::symbol("n"), 4}), options)),
            (Shape{5, 4}));
  options.shapes["x"] = {5, 3};
  expect_error(ErrorKind::invalid, "[n, 4]",
               [&] { read(file({node("Relu", {"x"}, {"y"})}, {Dim::symbol("n"), 4}), options); });
  options.shapes = {{"z", {5, 4}}};
  expect_error(ErrorKind::invalid, "the model has x",
               [&] { read(file({node("Relu", {"x"}, {"y"})}, {Dim::symbol("n"), 4}), options); });
}

TEST(OnnxReadTest, GenuineTiesStayAndMergedEqualsPart) {
  std::vector<std::string> notes;
  ReadOptions options;
  options.notes = &notes;
  const Tensor same = Tensor::from<float>({4}, std::vector<float>(4, 1.0f));
  const Model model = read(file({node("Identity", {"w"}, {"tied"}), node("Identity", {"ones"}, {"more_ones"}),
                                 node("Add", {"x", "w"}, {"a"}), node("Add", {"a", "tied"}, {"b"}),
                                 node("Mul", {"b", "ones"}, {"c"}), node("Mul", {"c", "more_ones"}, {"y"})},
                                {2, 4}, {{"w", floats({4})}, {"ones", same}}),
                           options);
  EXPECT_EQ(model.parameters.size(), 3u);
  EXPECT_FALSE(model.parameters.contains("tied"));
  EXPECT_TRUE(model.parameters.contains("more_ones"));
  EXPECT_EQ(notes.size(), 2u);
}

TEST(OnnxReadTest, AKnownConditionChoosesItsBranch) {
  auto branch = [](const std::string& op) {
    onnx::GraphDef graph;
    graph.name = op;
    graph.nodes = {node(op, {"x"}, {op + "_out"})};
    graph.outputs = {{op + "_out", DType::f32, std::nullopt}};
    return std::make_shared<const onnx::GraphDef>(graph);
  };
  onnx::ModelDef model =
      file({node("If", {"yes"}, {"y"}, {{"then_branch", branch("Relu")}, {"else_branch", branch("Exp")}})},
           {2, 4}, {{"yes", Tensor::from<bool>({1}, std::array{true})}});
  EXPECT_EQ(read(model).graph.node(read(model).graph.outputs[0].value).op->name, "max");
}

TEST(OnnxReadTest, DilatedAndStridedSlicesCountFromTheEnd) {
  const Model model = read(file({node("Slice", {"x", "from", "to", "axes", "steps"}, {"y"})}, {2, 6},
                                {{"from", integers({-1})},
                                 {"to", integers({-7})},
                                 {"axes", integers({1})},
                                 {"steps", integers({-2})}}));
  const std::vector<double> y =
      to_doubles(interpret(specialise(model.graph, {{"N", 2}}), std::vector{floats({2, 6}, 0)})[0]);
  EXPECT_EQ(y, (std::vector<double>{1.25, 0.75, 0.25, 2.75, 2.25, 1.75}));
}

}  // namespace
}  // namespace temper
