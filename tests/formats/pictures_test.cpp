// Models on pictures whose classes are known: weights, layout, preprocessing and class order are right
// together.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "api/devices.h"
#include "base/text.h"
#include "data/decode.h"
#include "data/idx.h"
#include "data/preprocess.h"
#include "ops/interpreter/interpret.h"
#include "passes/passes.h"
#include "place/inference.h"
#include "quantize/quantize.h"
#include "runtime/registry.h"
#include "support/data.h"
#include "temper/network.h"
#include "train/frozen.h"
#include "unit/formats/model_file.h"

namespace temper {
namespace {

struct Expected {
  const char* file;  // below shared/data/models/imagenet
  const char* preprocess;
  int64_t background;  // classes before the first of ImageNet's
  int top1, top5;      // of 12
  int in_integers;     // of 12: what comes first stays first
};
void PrintTo(const Expected& expected, std::ostream* out) { *out << expected.file; }

// The place of `truth` among the scores, 0 for the highest.
int64_t rank_of(std::span<const double> scores, int64_t truth) {
  const double own = scores[static_cast<size_t>(truth)];
  return std::count_if(scores.begin(), scores.end(), [&](double score) { return score > own; });
}

// The labelled pictures, each as the model's input, and what they show.
struct Pictures {
  std::vector<Tensor> inputs;
  std::vector<int64_t> truths;
};
Pictures read_pictures(const std::filesystem::path& folder, const Preprocess& preprocess) {
  Pictures pictures;
  std::ifstream labels(folder / "labels.csv");
  std::string line;
  std::getline(labels, line);
  while (std::getline(labels, line)) {
    const std::vector<std::string_view> fields = split(line, ',');
    EXPECT_TRUE(parse_number(fields[1], pictures.truths.emplace_back()));
    pictures.inputs.push_back(picture_to_tensor(read_image((folder / fields[0]).string(), {}), preprocess)
                                  .reshaped({1, 3, 224, 224}));
  }
  return pictures;
}

class PicturesTest : public testing::TestWithParam<Expected> {};

TEST_P(PicturesTest, TheModelKnowsThem) {
  const auto folder = shared_data("models/imagenet/sanity_images"),
             file = shared_data(std::string("models/imagenet/") + GetParam().file);
  TEMPER_NEED(folder);
  TEMPER_NEED(file);
  const Model model = read_packed(file);
  const Preprocess preprocess = parse_preprocess(GetParam().preprocess, 224, 224);
  const Pictures pictures = read_pictures(folder, preprocess);
  int top1 = 0, top5 = 0;
  const Graph graph = specialise(model.graph, {{"N", 1}});
  for (size_t i = 0; i < pictures.inputs.size(); ++i) {
    std::vector<Tensor> arguments;
    for (const Port& port : graph.inputs) {
      const auto parameter = model.parameters.find(port.name);
      arguments.push_back(parameter != model.parameters.end() ? parameter->second : pictures.inputs[i]);
    }
    const int64_t rank =
        rank_of(to_doubles(interpret(graph, arguments)[0]), pictures.truths[i] + GetParam().background);
    top1 += rank == 0;
    top5 += rank < 5;
  }
  EXPECT_EQ(pictures.inputs.size(), 12u);
  EXPECT_EQ(top1, GetParam().top1);
  EXPECT_EQ(top5, GetParam().top5);
}

INSTANTIATE_TEST_SUITE_P(Models, PicturesTest,
                         testing::Values(Expected{"mobilenet_v1_0.25_224_float32.onnx",
                                                  "short:256,crop:224,mean:127.5,std:127.5", 1, 11, 12, 10},
                                         Expected{"mobilenet_v2_1.0_224_float32_from_int8.onnx.gz",
                                                  "short:256,crop:224,mean:127.5,std:127.5", 1, 12, 12, 12},
                                         Expected{"squeezenet1.1_float32_from_fp16.onnx.gz",
                                                  "short:256,crop:224,bgr,mean:103.94/116.78/123.68", 0, 11,
                                                  12, 12}));

// In integers, with ranges from the pictures themselves.
TEST_P(PicturesTest, TheModelInIntegersAgreesWithIt) {
  const auto folder = shared_data("models/imagenet/sanity_images"),
             file = shared_data(std::string("models/imagenet/") + GetParam().file);
  TEMPER_NEED(folder);
  TEMPER_NEED(file);
  register_devices();
  Device& device = open_device("cpu");
  const Model model = fold_frozen(device, read_packed(file), {}, {});
  const Pictures pictures = read_pictures(folder, parse_preprocess(GetParam().preprocess, 224, 224));
  const Model integers = quantize(device, model, pictures.inputs);
  Inference exact(device, model, {}), quantised(device, integers, {});
  int agreements = 0;
  for (const Tensor& input : pictures.inputs) {
    const std::vector<double> scores = to_doubles(exact.run({&input, 1})[0]);
    const auto best = std::ranges::max_element(scores) - scores.begin();
    agreements += rank_of(to_doubles(quantised.run({&input, 1})[0]), best) == 0;
  }
  EXPECT_GE(agreements, GetParam().in_integers);
}

// The README of the data says 98.6 % of the first 500, on pixels from 0 to 255.
TEST(DigitsTest, TheModelKnowsThem) {
  const auto file = shared_data("models/mnist/mnist_cnn_float32.onnx"), folder = shared_data("mnist");
  TEMPER_NEED(file);
  TEMPER_NEED(folder);
  constexpr int64_t kDigits = 500, kPixels = 28 * 28;
  const Tensor pictures = read_idx((folder / "t10k-images-idx3-ubyte.gz").string()),
               truth = read_idx((folder / "t10k-labels-idx1-ubyte.gz").string());
  const std::span<const uint8_t> pixels = pictures.values<uint8_t>().first(kDigits * kPixels);
  const Tensor input =
      Tensor::from<float>({kDigits, 1, 28, 28}, std::vector<float>(pixels.begin(), pixels.end()));
  const std::vector<double> scores = to_doubles(Network::open(file.string()).run({input})[0]);
  ASSERT_EQ(scores.size(), kDigits * 10u);
  int right = 0;
  for (int64_t i = 0; i < kDigits; ++i) {
    const auto own = std::span(scores).subspan(static_cast<size_t>(i * 10), 10);
    right += rank_of(own, truth.values<uint8_t>()[static_cast<size_t>(i)]) == 0;
  }
  EXPECT_EQ(right, 493);
}

}  // namespace
}  // namespace temper
