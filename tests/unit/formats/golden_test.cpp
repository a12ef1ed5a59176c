// Whole models with real weights, against outputs of an independent executor (shared/data/README.md).
#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "base/json.h"
#include "model_file.h"
#include "ops/interpreter/interpret.h"
#include "passes/passes.h"
#include "support/data.h"

namespace temper {
namespace {

// x[i] = ((i 2654435761 mod 2^32) / 2^32) 2 - 1, times `scale`
Tensor synthetic_input(const Type& type, double scale) {
  std::vector<double> values(static_cast<size_t>(type.shape.elements()));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = (static_cast<double>(static_cast<uint32_t>(i * 2654435761u)) / 4294967296.0 * 2 - 1) * scale;
  return from_doubles(type, values);
}

std::vector<double> run_one(const Model& model, double scale) {
  const Graph graph = specialise(model.graph, {{"N", 1}});
  std::vector<Tensor> arguments;
  for (const Port& port : graph.inputs) {
    const auto parameter = model.parameters.find(port.name);
    arguments.push_back(parameter != model.parameters.end() ? parameter->second
                                                            : synthetic_input(graph.type(port.value), scale));
  }
  return to_doubles(interpret(graph, arguments)[0]);
}

struct Golden {
  const char* name;  // in golden_synthetic_input.json
  const char* file;  // below shared/data/models
  double scale, tolerance;
};
void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.file; }

class GoldenTest : public testing::TestWithParam<Golden> {};

TEST_P(GoldenTest, TopTenAgree) {
  const auto goldens = shared_data("models/imagenet/golden_synthetic_input.json"),
             file = shared_data(std::string("models/") + GetParam().file);
  TEMPER_NEED(goldens);
  TEMPER_NEED(file);
  const std::vector<double> result = run_one(read_packed(file), GetParam().scale);
  const Json all = Json::parse(MappedFile(goldens.string()).text());
  const Json& golden = all.at("models").at(GetParam().name);
  ASSERT_EQ(static_cast<int64_t>(result.size()), golden.at("n").integer());
  double squares = 0;
  for (const double value : result) squares += value * value;
  EXPECT_NEAR(std::sqrt(squares), golden.at("l2").number(), 1e-3 * golden.at("l2").number());
  for (const Json& entry : golden.at("top10").items()) {
    const double expected = entry.items()[1].number();
    EXPECT_NEAR(result[static_cast<size_t>(entry.items()[0].integer())], expected,
                GetParam().tolerance * std::max(1.0, std::abs(expected)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, GoldenTest,
    testing::Values(Golden{"imagenet/mobilenet_v1_0.25_224_float32.onnx",
                           "imagenet/mobilenet_v1_0.25_224_float32.onnx", 1, 1e-4},
                    Golden{"imagenet/mobilenet_v2_1.0_224_float32_from_int8.onnx",
                           "imagenet/mobilenet_v2_1.0_224_float32_from_int8.onnx.gz", 1, 1e-4},
                    Golden{"imagenet/squeezenet1.1_float32_from_fp16.onnx (input = 128*x)",
                           "imagenet/squeezenet1.1_float32_from_fp16.onnx.gz", 128, 1e-4},
                    Golden{"imagenet/squeezenet1.1_float32_from_fp16.onnx (input = 128*x)",
                           "imagenet/squeezenet1.1_fp16.onnx", 128, 1e-3},
                    Golden{"cifar10_models/resnet20_cifar10.onnx", "cifar10/resnet20_cifar10.onnx", 1,
                           1e-3}));

}  // namespace
}  // namespace temper
