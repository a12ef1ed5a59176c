#include "nn/models.h"

#include "base/text.h"
#include "golden.h"
#include "nn/layers.h"
#include "ops/interpreter/interpret.h"
#include "ops/rows.h"
#include "passes/passes.h"
#include "support/expect_error.h"

namespace temper::nn {
namespace {

uint64_t fingerprint(const Model& model) {  // as in goldens.py
  uint64_t value = 0xCBF29CE484222325u;
  for (const auto& [name, tensor] : model.parameters) {
    const std::string sizes = join(tensor.shape().sizes(), " ");
    for (char c : concat(name, sizes.empty() ? "" : " ", sizes, "\n"))
      value = (value ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  }
  return value;
}

class Architecture : public testing::TestWithParam<std::string> {};

TEST_P(Architecture, IsAWholeModel) {
  const Model model = build_model(GetParam(), 0);
  verify(model.graph);
  check(model);
  EXPECT_TRUE(is_architecture(GetParam()));
  ASSERT_EQ(data_inputs(model).size(), 1u);
  const bool text = starts_with(GetParam(), "bert:");
  const int64_t classes = text ? 2 : GetParam() == "cnn" || starts_with(GetParam(), "mlp:") ? 10 : 1000;
  EXPECT_EQ(model.graph.type(model.graph.find_output("output")),
            (Type{DType::f32, {Dim::symbol("N"), classes}}));
  EXPECT_NE(model.preprocess.has_value(), text);
  const auto golden = kFingerprints.find(GetParam());
  if (golden == kFingerprints.end()) return;
  EXPECT_EQ(fingerprint(model), golden->second) << "names or shapes are not torchvision's";
}

INSTANTIATE_TEST_SUITE_P(All, Architecture, testing::ValuesIn(architectures()), [](const auto& info) {
  std::string name = info.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

Graph of_one_sample(const Graph& graph) {
  return rewrite(graph, [](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
    Attributes attributes = view.attributes();
    for (const auto& [name, value] : view.attributes().entries()) {
      if (const auto* shape = std::get_if<Shape>(&value))
        attributes.set(name, specialise(*shape, {{"N", 1}}));
    }
    return b.emit_all(*view.node.op, {view.inputs.begin(), view.inputs.end()}, attributes, view.node.name);
  });
}

TEST(Models, CnnComputesWhatPyTorchDoes) {
  const Model model = build_model("cnn", 0);
  const Graph graph = of_one_sample(model.graph);
  std::vector<Tensor> inputs;
  double phase = 0;  // of PyTorch's order: by layer, weight before bias, which is the order of the inputs
  for (const Port& port : graph.inputs) {
    const Type& type = graph.type(port.value);
    if (!model.parameters.contains(port.name)) {
      inputs.push_back(wave(type, 0.1));
      continue;
    }
    std::vector<double> values = to_doubles(wave({DType::f64, type.shape}, phase++));
    for (double& value : values) value *= 0.05;
    inputs.push_back(from_doubles(type, values));
  }
  expect_golden("cnn", to_doubles(interpret(graph, inputs).front()), 1e-6);
}

TEST(Models, WeightsDependOnTheSeedAndTheName) {
  const Model one = build_model("mlp:6-5-4", 1), again = build_model("mlp:6-5-4", 1),
              two = build_model("mlp:6-5-4", 2);
  const Model longer = build_model("mlp:6-5-4-3", 1);
  const auto weights = [](const Model& model, const char* name) {
    return to_doubles(model.parameters.at(name));
  };
  EXPECT_EQ(weights(one, "0.weight"), weights(again, "0.weight"));
  EXPECT_NE(weights(one, "0.weight"), weights(two, "0.weight"));
  EXPECT_EQ(weights(one, "2.weight"), weights(longer, "2.weight"));
}

TEST(Models, InitialValuesHaveTheirSpread) {
  constexpr int64_t kCount = 20000;
  const auto moments = [](const Initial& initial) {
    double mean = 0, square = 0, largest = 0;
    for (double value : to_doubles(initial_tensor({DType::f32, {kCount}}, initial, 3, "w"))) {
      mean += value / kCount;
      square += value * value / kCount;
      largest = std::max(largest, std::abs(value));
    }
    return std::array<double, 3>{mean, std::sqrt(square), largest};
  };
  const auto [uniform_mean, uniform_deviation, bound] = moments(torch_uniform(16));
  EXPECT_NEAR(uniform_mean, 0, 0.004);
  EXPECT_NEAR(uniform_deviation, 0.25 / std::sqrt(3), 0.003);
  EXPECT_LE(bound, 0.25);
  EXPECT_GT(bound, 0.249);
  const auto [normal_mean, normal_deviation, largest] = moments(kaiming_normal(8, std::sqrt(2.0)));
  EXPECT_NEAR(normal_mean, 0, 0.012);
  EXPECT_NEAR(normal_deviation, 0.5, 0.008);
  EXPECT_GT(largest, 1.5);  // three deviations
  EXPECT_NEAR(xavier_uniform(10, 14).value, 0.5, 1e-12);
  EXPECT_NEAR(kaiming_uniform(6, std::sqrt(2.0)).value, 1, 1e-12);
}

TEST(Models, UnknownNamesAndSizesAreRefused) {
  expect_error(ErrorKind::not_found, "did you mean resnet18?", [] { build_model("resnet81", 0); });
  expect_error(ErrorKind::invalid, "found \"0\"", [] { build_model("mlp:784-0-10", 0); });
  expect_error(ErrorKind::invalid, "at least two sizes", [] { build_model("mlp:784", 0); });
  expect_error(ErrorKind::invalid, "found \"\"", [] { build_model("mlp:", 0); });
  expect_error(ErrorKind::invalid, "the width 64 is no multiple of 5 heads",
               [] { build_model("bert:2-64-5", 0); });
  expect_error(ErrorKind::invalid, "found \"0\"", [] { build_model("bert:0-64-4", 0); });
  expect_error(ErrorKind::invalid, "expected layers, width and heads", [] { build_model("bert:2-64", 0); });
  expect_error(ErrorKind::invalid, "expected nothing or masked",
               [] { build_model("bert:2-64-4:causal", 0); });
}

// Two samples of three tokens.
Tensor bert_output(const Model& model, std::vector<std::vector<int64_t>> inputs) {
  const Graph graph = specialise(model.graph, {{"N", 2}, {"S", 3}});
  std::vector<Tensor> arguments;
  size_t next = 0;
  for (const Port& port : graph.inputs) {
    const auto found = model.parameters.find(port.name);
    arguments.push_back(found != model.parameters.end()
                            ? found->second
                            : from_int64s(graph.type(port.value), inputs.at(next++)));
  }
  return interpret(graph, arguments).front();
}

TEST(Models, BertLooksAwayFromWhatIsMasked) {
  const Model plain = build_model("bert:2-8-2", 3), masked = build_model("bert:2-8-2:masked", 3);
  const std::vector<int64_t> ids{7, 30521, 5, 9, 8, 0}, ones(6, 1), zeros(6), seen{1, 1, 0, 1, 1, 1};
  ASSERT_EQ(data_inputs(masked).size(), 3u);
  const auto output = [](const Model& model, const auto&... inputs) {
    return to_doubles(bert_output(model, {inputs...}));
  };
  const std::vector<double> whole = output(plain, ids);
  EXPECT_EQ(output(masked, ids, ones, zeros), whole);
  std::vector<int64_t> other = ids;
  other[2] = 11;  // the masked token
  EXPECT_EQ(output(masked, other, seen, zeros), output(masked, ids, seen, zeros));
  EXPECT_NE(output(plain, other)[0], whole[0]);
  EXPECT_EQ(output(plain, other)[2], whole[2]);  // of the other sample
  EXPECT_NE(output(masked, ids, seen, zeros)[0], whole[0]);
  EXPECT_NE(output(masked, ids, ones, ones)[0], whole[0]);
}

TEST(Models, AnIntegerInputNumbersTheRowsOfItsTable) {
  const Model model = build_model("bert:1-8-2:masked", 0);
  const auto values = [&](const char* name) {
    return integer_values(model.graph, model.graph.find_input(name));
  };
  EXPECT_EQ(values("input_ids"), 30522);
  EXPECT_EQ(values("token_type_ids"), 2);
  EXPECT_EQ(values("attention_mask"), 2);
}

std::map<std::string, Tensor> state_of(const std::string& prefix) {
  std::map<std::string, Tensor> state;
  for (const auto& [name, tensor] : build_model("mlp:3-2", 5).parameters) state[prefix + name] = tensor;
  return state;
}

TEST(Models, AStateDictIsLoadedByName) {
  for (const std::string prefix : {"", "module."}) {
    Model model = build_model("mlp:3-2", 0);
    std::map<std::string, Tensor> state = state_of(prefix);
    state[prefix + "norm.num_batches_tracked"] = Tensor::scalar<int64_t>(4);
    Tensor& weight = state[prefix + "0.weight"];
    weight = from_doubles({DType::f16, weight.shape()}, to_doubles(weight));
    load_parameters(model, state);
    EXPECT_EQ(to_doubles(build_model("mlp:3-2", state).parameters["0.weight"]), to_doubles(weight));
    EXPECT_EQ(model.parameters["0.weight"].dtype(), DType::f32);
    EXPECT_EQ(to_doubles(model.parameters["0.weight"]), to_doubles(weight));
    EXPECT_EQ(to_doubles(model.parameters["0.bias"]), to_doubles(state[prefix + "0.bias"]));
  }
}

TEST(Models, EveryNameThatDoesNotFitIsListed) {
  Model model = build_model("mlp:3-2-2", 0);
  const std::map<std::string, Tensor> before = model.parameters;
  std::map<std::string, Tensor> state = state_of("");
  state["0.weight"] = Tensor({DType::f32, {3, 2}});
  state["fc.weight"] = state["0.bias"];
  expect_error(
      ErrorKind::invalid,
      "missing: 2.bias, 2.weight; unexpected: fc.weight; of another shape: 0.weight (expected f32[2, 3], "
      "found f32[3, 2])",
      [&] { load_parameters(model, state); });
  EXPECT_EQ(to_doubles(model.parameters["0.bias"]), to_doubles(before.at("0.bias")));
}

}  // namespace
}  // namespace temper::nn
