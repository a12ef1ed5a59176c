// A real network on real photos: what is frozen is computed once, and nothing else changes by it.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "devices/cpu/cpu.h"
#include "runtime/registry.h"
#include "support/data.h"
#include "support/temporary_folder.h"
#include "train/predict.h"
#include "train/trainer.h"

namespace temper {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class Notes : public TrainEvents {
 public:
  void note(std::string_view text) override { notes.emplace_back(text); }
  void warning(std::string_view text) override { warnings.emplace_back(text); }
  std::vector<std::string> notes, warnings;
};

std::string bytes_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

class PhotosTest : public testing::Test {
 protected:
  void SetUp() override {
    register_device(cpu::cpu_device());
    setenv("TEMPER_CACHE", (folder_.path() / "cache").c_str(), 1);
    model_ = find(".onnx");
    photos_ = find_photos();
    if (model_.empty() || photos_.empty()) GTEST_SKIP() << "skipped, because examples/data is absent";
    for (const char* split : {"train", "test"}) link_some(split, split == std::string_view("train") ? 6 : 2);
  }
  void TearDown() override { unsetenv("TEMPER_CACHE"); }

  static std::string find(const std::string& ending) {
    for (const auto& entry : fs::recursive_directory_iterator(in_repository("examples/data"))) {
      if (entry.path().string().ends_with(ending)) return entry.path().string();
    }
    return {};
  }
  static std::string find_photos() {
    for (const auto& entry : fs::recursive_directory_iterator(in_repository("examples/data"))) {
      if (entry.is_directory() && entry.path().filename() == "train")
        return entry.path().parent_path().string();
    }
    return {};
  }

  // A few photos of three classes.
  void link_some(const std::string& split, size_t count) {
    std::vector<fs::path> classes;
    for (const auto& entry : fs::directory_iterator(fs::path(photos_) / split))
      classes.push_back(entry.path());
    std::ranges::sort(classes);
    classes.resize(3);
    for (const fs::path& folder : classes) {
      std::vector<fs::path> files;
      for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
      std::ranges::sort(files);
      files.resize(std::min(files.size(), count));
      const fs::path to = folder_.path() / "photos" / split / folder.filename();
      fs::create_directories(to);
      for (const fs::path& file : files) fs::create_symlink(fs::absolute(file), to / file.filename());
    }
  }

  Recipe recipe(const std::string& out) const {
    Recipe recipe;
    recipe.model = model_, recipe.data = (folder_.path() / "photos").string();
    recipe.preprocess = "tf", recipe.head = "gap,dense:16:relu,dropout:0.2,dense";
    recipe.batch = 8, recipe.epochs = 3, recipe.val_split = 0;
    recipe.out = (folder_.path() / out).string();
    return recipe;
  }
  std::string model_of(const std::string& out) const { return bytes_of(folder_.path() / out / "model.onnx"); }
  TrainResult go(const Recipe& recipe) {
    Notes events;
    TrainResult result = train(recipe, events);
    notes_ = events.notes;
    warnings_ = events.warnings;
    return result;
  }

  TemporaryFolder folder_;
  std::string model_, photos_;
  std::vector<std::string> notes_, warnings_;
};

TEST_F(PhotosTest, TheFrozenCacheChangesNoBit) {
  Recipe cached = recipe("cached"), again = recipe("again"), off = recipe("off"), memory = recipe("memory");
  const TrainResult result = go(cached);
  EXPECT_LT(result.parameters_trained, result.parameters_total / 4);
  EXPECT_LT(result.history.back().train_loss, result.history.front().train_loss);
  EXPECT_THAT(notes_, Not(Contains(HasSubstr("from the cache"))));
  go(again);
  EXPECT_THAT(notes_, Contains(HasSubstr("frozen features of 18 samples from the cache")));
  off.frozen_cache = "off";
  go(off);
  setenv("TEMPER_CACHE", "off", 1);
  go(memory);
  EXPECT_EQ(model_of("cached"), model_of("again"));
  EXPECT_EQ(model_of("cached"), model_of("off"));
  EXPECT_EQ(model_of("cached"), model_of("memory"));
}

TEST_F(PhotosTest, TheFrozenPartMayRunOnIntegers) {
  Recipe exact = recipe("exact"), integers = recipe("integers"), again = recipe("integers_again");
  for (Recipe* each : {&exact, &integers, &again}) each->val_split = 0.3, each->epochs = 10;
  integers.frozen_precision = again.frozen_precision = "int8";
  integers.max_drop = again.max_drop = 100;
  const TrainResult wanted = go(exact), found = go(integers);
  EXPECT_THAT(notes_, Contains(HasSubstr("the frozen part in int8 gives validation accuracy")));
  ASSERT_TRUE(found.val_exact);
  EXPECT_NEAR(found.val->loss, found.val_exact->loss, 0.3 * found.val_exact->loss + 0.02);
  EXPECT_LT(found.history.back().train_loss, found.history.front().train_loss);
  EXPECT_NE(model_of("integers"), model_of("exact"));
  EXPECT_EQ(found.parameters_total, wanted.parameters_total) << "the written model is the float one";
  again.threads = 1;
  go(again);
  EXPECT_EQ(model_of("integers"), model_of("integers_again")) << "with any number of threads";
}

TEST_F(PhotosTest, AugmentationSwitchesTheCacheOffAndSaysSo) {
  Recipe random = recipe("random");
  random.augment = "flip", random.epochs = 1;
  go(random);
  EXPECT_THAT(notes_,
              Contains(HasSubstr("random augmentation: the frozen part runs in every epoch (--views N")));
  Recipe views = recipe("views"), off = recipe("views_off");
  views.augment = off.augment = "flip,crop:0.7", views.views = off.views = 2;
  off.frozen_cache = "off";
  go(views);
  go(off);
  EXPECT_EQ(model_of("views"), model_of("views_off"));
}

TEST_F(PhotosTest, ABrokenPictureStopsOrIsSkipped) {
  const fs::path some = fs::directory_iterator(folder_.path() / "photos" / "train")->path();
  const std::string broken = (some / "broken.jpg").string();
  std::ofstream(broken, std::ios::binary) << "\xFF\xD8\xFF not a picture";
  Recipe fail = recipe("fail"), skip = recipe("skip"), off = recipe("off");
  try {
    go(fail);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("broken.jpg"));
  }
  skip.on_bad_sample = off.on_bad_sample = "skip";
  go(skip);
  EXPECT_THAT(warnings_, Contains(HasSubstr("broken.jpg")));
  off.frozen_cache = "off";
  go(off);
  EXPECT_EQ(model_of("skip"), model_of("off"));
}

TEST_F(PhotosTest, TheTunedModelNamesItsClasses) {
  const TrainResult result = go(recipe("run"));
  Notes events;
  PredictOptions options;
  options.model = (folder_.path() / "run").string();
  options.top = 2;
  Predictor predictor(options, events);
  std::vector<std::string> files = picture_files((folder_.path() / "photos" / "test").string());
  ASSERT_EQ(files.size(), 6u);
  files.emplace_back("absent.jpg");
  const std::vector<Prediction> predictions = predictor.predict(files);
  double right = 0;
  for (size_t i = 0; i < 6; ++i) {
    ASSERT_EQ(predictions[i].top.size(), 2u);
    EXPECT_GE(predictions[i].top[0].score, predictions[i].top[1].score);
    right += fs::path(files[i]).parent_path().filename() == predictions[i].top[0].label;
  }
  EXPECT_NEAR(right / 6, result.test->accuracy, 1e-9);
  ASSERT_TRUE(predictions[6].error);
  EXPECT_THAT(predictions[6].error->what(), HasSubstr("absent.jpg"));
  EXPECT_EQ(predictor.predict(std::span(files).first(1))[0].top[0].label, predictions[0].top[0].label);

  options.precision = "int8", options.calibrate = (folder_.path() / "photos").string();
  Predictor integers(options, events);
  files.pop_back();
  const std::vector<Prediction> rounded = integers.predict(files);
  for (size_t i = 0; i < 6; ++i) {
    double same = 0;  // the score of what came first
    for (const Score& score : rounded[i].top)
      if (score.index == predictions[i].top[0].index) same = score.score;
    EXPECT_NEAR(same, predictions[i].top[0].score, 0.15) << files[i];
  }
  options.calibrate.clear();
  EXPECT_THROW(Predictor(options, events), Error);
}

}  // namespace
}  // namespace temper
