// Models on pictures whose classes are known: weights, layout, preprocessing and class order are right
// together.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/text.h"
#include "data/decode.h"
#include "data/idx.h"
#include "data/preprocess.h"
#include "ops/interpreter/interpret.h"
#include "passes/passes.h"
#include "support/data.h"
#include "temper/network.h"
#include "unit/formats/model_file.h"

namespace temper {
namespace {

struct Expected {
  const char* file;  // below shared/data/models/imagenet
  const char* preprocess;
  int64_t background;  // classes before the first of ImageNet's
  int top1, top5;      // of 12
};
void PrintTo(const Expected& expected, std::ostream* out) { *out << expected.file; }

// The place of `truth` among the scores, 0 for the highest.
int64_t rank_of(std::span<const double> scores, int64_t truth) {
  const double own = scores[static_cast<size_t>(truth)];
  return std::count_if(scores.begin(), scores.end(), [&](double score) { return score > own; });
}

class PicturesTest : public testing::TestWithParam<Expected> {};

TEST_P(PicturesTest, TheModelKnowsThem) {
  const auto folder = shared_data("models/imagenet/sanity_images"),
             file = shared_data(std::string("models/imagenet/") + GetParam().file);
  TEMPER_NEED(folder);
  TEMPER_NEED(file);
  const Model model = read_packed(file);
  const Preprocess preprocess = parse_preprocess(GetParam().preprocess, 224, 224);
  std::ifstream labels(folder / "labels.csv");
  std::string line;
  std::getline(labels, line);
  int pictures = 0, top1 = 0, top5 = 0;
  const Graph graph = specialise(model.graph, {{"N", 1}});
  while (std::getline(labels, line)) {
    const std::vector<std::string_view> fields = split(line, ',');
    int64_t truth = 0;
    ASSERT_TRUE(parse_number(fields[1], truth));
    const Tensor picture = picture_to_tensor(read_image((folder / fields[0]).string(), {}), preprocess);
    std::vector<Tensor> arguments;
    for (const Port& port : graph.inputs) {
      const auto parameter = model.parameters.find(port.name);
      arguments.push_back(parameter != model.parameters.end() ? parameter->second
                                                              : picture.reshaped({1, 3, 224, 224}));
    }
    const int64_t rank = rank_of(to_doubles(interpret(graph, arguments)[0]), truth + GetParam().background);
    top1 += rank == 0;
    top5 += rank < 5;
    ++pictures;
  }
  EXPECT_EQ(pictures, 12);
  EXPECT_EQ(top1, GetParam().top1);
  EXPECT_EQ(top5, GetParam().top5);
}

INSTANTIATE_TEST_SUITE_P(Models, PicturesTest,
                         testing::Values(Expected{"mobilenet_v1_0.25_224_float32.onnx",
                                                  "short:256,crop:224,mean:127.5,std:127.5", 1, 11, 12},
                                         Expected{"mobilenet_v2_1.0_224_float32_from_int8.onnx.gz",
                                                  "short:256,crop:224,mean:127.5,std:127.5", 1, 12, 12},
                                         Expected{"squeezenet1.1_float32_from_fp16.onnx.gz",
                                                  "short:256,crop:224,bgr,mean:103.94/116.78/123.68", 0, 11,
                                                  12}));

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
