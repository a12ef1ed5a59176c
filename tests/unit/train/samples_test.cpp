// Samples of which some count more, are drawn more often, have several labels, or are broken.
#include <gmock/gmock.h>

#include <cmath>

#include "base/json.h"
#include "base/philox.h"
#include "base/text.h"
#include "data/encode.h"
#include "train/evaluate.h"
#include "train/result.h"
#include "unit/train/run.h"

namespace temper {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr PhiloxKey kKey = {11, 5};

// Two classes that overlap, one nine times as often as the other.
std::string write_unbalanced(const TemporaryFolder& folder, const std::string& name, int64_t count) {
  std::string text = "x,y,class\n";
  uint64_t word = name == "test.csv" ? 1 << 20 : 0;
  const auto noise = [&] { return random_word(kKey, word++) / 4294967296.0 * 2 - 1; };
  for (int64_t i = 0; i < count; ++i) {
    const bool rare = i % 10 == 0;
    text += concat(noise() + (rare ? 0.4 : -0.4), ",", noise(), ",", rare ? "rare" : "usual", "\n");
  }
  return folder.write(name, text);
}

// Pictures of one colour and noise: the labels say whether red and whether green is bright.
void write_colours(const TemporaryFolder& folder, const std::string& split, int count) {
  std::string table = "file,labels\n";
  uint64_t word = split == "test" ? 1 << 20 : 0;
  for (int i = 0; i < count; ++i) {
    const uint32_t bright = random_word(kKey, word++) % 4;
    Image image(8, 8, 3);
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 24; ++x) {
        const bool up = x % 3 < 2 && (bright >> (x % 3) & 1) != 0;
        image.row(y)[x] = static_cast<uint8_t>(random_word(kKey, word++) % 140 + (up ? 110 : 0));
      }
    }
    const std::string file = concat("pictures/", split, i, ".jpg");
    folder.write(file, encode_jpeg(image, 95));
    table += concat(file, ",", (bright & 1) ? "red" : "", bright == 3 ? ";" : "", (bright & 2) ? "green" : "",
                    "\n");
  }
  folder.write(split + ".csv", table);
}

class SamplesTest : public testing::Test {
 protected:
  std::string in(const std::string& name) const { return (folder_.path() / name).string(); }

  Recipe unbalanced(const std::string& out) const {
    Recipe recipe = small_recipe(folder_, in("train.csv"), out);
    recipe.model = "mlp:2-2", recipe.preprocess.clear(), recipe.test = in("test.csv");
    recipe.val_split = 0, recipe.lr = 0.02, recipe.epochs = 10;
    return recipe;
  }
  Recipe colours(const std::string& out) const {
    Recipe recipe = small_recipe(folder_, in("train.csv"), out);
    recipe.model = "mlp:192-16-2", recipe.preprocess = "unit", recipe.test = in("test.csv"),
    recipe.epochs = 12;
    return recipe;
  }
  TrainResult go(const Recipe& recipe) {
    KeptEvents events;
    TrainResult result = train(recipe, events);
    warnings_ = events.warnings;
    return result;
  }
  static double recall(const TrainResult& result, const std::string& label) {
    for (const ClassScore& score : result.test->classes) {
      if (score.label == label) return score.recall;
    }
    return -1;
  }

  TemporaryFolder folder_;
  std::vector<std::string> warnings_;
};

TEST_F(SamplesTest, ARareClassIsFoundIfItWeighsMoreOrIsDrawnMoreOften) {
  write_unbalanced(folder_, "train.csv", 1000);
  write_unbalanced(folder_, "test.csv", 500);
  Recipe weighted = unbalanced("weighted"), drawn = unbalanced("drawn"), written = unbalanced("written");
  weighted.class_weights = "auto";
  written.class_weights = folder_.write("weights.csv", "rare,5\nusual,0.5555555555555556\n");
  drawn.sampling = "balanced";
  const TrainResult plain = go(unbalanced("plain"));
  EXPECT_LT(recall(plain, "rare"), 0.5);
  for (const Recipe& recipe : {weighted, drawn}) {
    const TrainResult result = go(recipe);
    EXPECT_GT(recall(result, "rare"), recall(plain, "rare") + 0.2) << recipe.out;
    EXPECT_GT(recall(result, "usual"), 0.6) << recipe.out;
  }
  go(written);
  EXPECT_EQ(bytes_of(folder_.path() / "weighted/model.onnx"), bytes_of(folder_.path() / "written/model.onnx"))
      << "auto: samples / (classes * samples of the class)";
}

TEST_F(SamplesTest, SeveralLabelsAPicture) {
  write_colours(folder_, "train", 240);
  write_colours(folder_, "test", 60);
  const TrainResult result = go(colours("run"));
  EXPECT_EQ(read_recipe(in("run/recipe.toml")).loss, "bce");
  ASSERT_TRUE(result.test);
  EXPECT_GT(result.test->accuracy, 0.9) << "all labels of a picture right";
  EXPECT_GT(result.test->mean_average_precision.value(), 0.95);

  EvaluateOptions options;
  options.model = in("run"), options.data = in("test.csv");
  KeptEvents events;
  std::vector<SampleLine> lines;
  const Evaluation evaluation =
      evaluate(options, events, [&](const SampleLine& line) { lines.push_back(line); });
  EXPECT_EQ(evaluation.mean_average_precision, result.test->mean_average_precision);
  EXPECT_EQ(evaluation.accuracy, result.test->accuracy);
  const auto both = [](const SampleLine& line) {
    return line.truth == "green;red" && line.prediction == "green;red";
  };
  EXPECT_TRUE(std::ranges::any_of(lines, both));
  const Json json = Json::parse(to_json(evaluation));
  ASSERT_EQ(json.at("classes").items().size(), 2u);
  for (const Json& score : json.at("classes").items())
    EXPECT_GT(score.at("average_precision").number(), 0.95);
  EXPECT_TRUE(json.at("confusion").items().empty());
}

TEST_F(SamplesTest, ABrokenPictureStopsOrIsSkipped) {
  write_colours(folder_, "train", 60);
  write_colours(folder_, "test", 20);
  folder_.write("pictures/train7.jpg", "\xFF\xD8\xFF no picture");
  folder_.write("pictures/test3.jpg", "");
  Recipe recipe = colours("run");
  recipe.val_split = 0;
  try {
    go(recipe);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("train7.jpg"));
  }
  recipe.on_bad_sample = "skip", recipe.overwrite = true;
  const TrainResult result = go(recipe);
  EXPECT_THAT(warnings_, Contains(HasSubstr("train7.jpg")));
  EXPECT_THAT(warnings_, Contains(HasSubstr("test3.jpg")));
  EXPECT_EQ(result.test->samples, 19);
  EXPECT_EQ(result.test->skipped, 1);

  EvaluateOptions options;
  options.model = in("run"), options.data = in("test.csv");
  KeptEvents events;
  EXPECT_THROW(evaluate(options, events), Error);
  options.on_bad_sample = "skip";
  EXPECT_EQ(evaluate(options, events).skipped, 1);
}

}  // namespace
}  // namespace temper
