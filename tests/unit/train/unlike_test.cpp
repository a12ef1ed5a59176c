// The frozen part on one device, its head on another; samples shared out among several.
#include <gmock/gmock.h>

#include <cstdlib>

#include "base/json.h"
#include "base/stop_signal.h"
#include "support/expect_error.h"
#include "train/evaluate.h"
#include "train/machine.h"
#include "unit/train/other_device.h"
#include "unit/train/run.h"

namespace temper {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr int64_t kTrain = 400, kVal = 80;  // of the 400

class UnlikeTest : public testing::Test {
 protected:
  UnlikeTest() : data_(write_quarters(folder_, kTrain, 100)) {
    other_device();
    other_runs().fail_at = other_runs().stop_at = -1;
    setenv("TEMPER_CACHE", "off", 1);
  }

  // The first layer of mlp:64-16-4 is frozen.
  Recipe recipe(const std::string& out, const std::string& device) const {
    Recipe recipe = small_recipe(folder_, data_, out);
    recipe.trainable = "last:1";
    recipe.val_split = static_cast<double>(kVal) / kTrain;
    recipe.device = device;
    return recipe;
  }
  std::filesystem::path run(const std::string& out) const { return folder_.path() / out; }
  std::string model_of(const std::string& out) const { return bytes_of(run(out) / "model.onnx"); }
  TrainResult go(const Recipe& recipe) {
    KeptEvents events;
    other_runs().count = 0;
    TrainResult result = train(recipe, events);
    notes_ = events.notes;
    return result;
  }
  void expect_same(const TrainResult& a, const TrainResult& b) {
    ASSERT_EQ(a.history.size(), b.history.size());
    for (size_t i = 0; i < a.history.size(); ++i) {
      EXPECT_EQ(a.history[i].train_loss, b.history[i].train_loss) << i;
      EXPECT_EQ(a.history[i].val_loss, b.history[i].val_loss) << i;
    }
    EXPECT_EQ(a.test->loss, b.test->loss);
  }

  TemporaryFolder folder_;
  std::string data_;
  std::vector<std::string> notes_;
};

// Both are the CPU, so nothing rounds otherwise.
TEST_F(UnlikeTest, TrainsAsOneDeviceDoes) {
  const TrainResult one = go(recipe("one", "cpu")), two = go(recipe("two", "frozen=other,head=cpu"));
  EXPECT_THAT(notes_, Contains(HasSubstr("the frozen part runs on other while cpu trains")));
  expect_same(one, two);
  EXPECT_EQ(model_of("one"), model_of("two"));
  EXPECT_EQ(two.device, "cpu");
  EXPECT_EQ(two.frozen_device, "other");
  EXPECT_GT(two.seconds.overlapped, 0);
  const Json json = Json::parse(bytes_of(run("two") / "result.json"));
  EXPECT_EQ(json.at("device").text(), "cpu");
  EXPECT_EQ(json.at("frozen_device").text(), "other");
  EXPECT_EQ(one.frozen_device, "cpu");
  EXPECT_EQ(one.seconds.overlapped, 0);
  const TrainResult reverse = go(recipe("reverse", "frozen=cpu,head=other"));
  expect_same(one, reverse);
  EXPECT_EQ(reverse.device, "other");
}

// Batches of 16: training and validation samples once each, in the first epoch; then those of the test.
TEST_F(UnlikeTest, EachSampleIsComputedOnce) {
  Recipe recipe = this->recipe("run", "frozen=other,head=cpu");
  const auto runs = [&](int64_t epochs) {
    recipe.epochs = epochs;
    recipe.overwrite = true;
    go(recipe);
    return other_runs().count.load();
  };
  const int64_t once = runs(1);
  EXPECT_GE(once, (kTrain - kVal) / 16 + kVal / 16 + 100 / 16);
  EXPECT_LE(once, (kTrain - kVal) / 16 + kVal / 16 + 100 / 16 + 12)
      << "beside them, the last of a pass and measuring";
  EXPECT_EQ(runs(4), once);
  recipe.frozen_cache = "off";
  EXPECT_GE(runs(4), 4 * (kTrain / 16));
}

TEST_F(UnlikeTest, RandomAugmentationStreamsInEveryEpoch) {
  Recipe one = recipe("one", "cpu"), two = recipe("two", "frozen=other,head=cpu");
  one.augment = two.augment = "flip";
  expect_same(go(one), go(two));
  one = recipe("one_views", "cpu"), two = recipe("two_views", "frozen=other,head=cpu");
  one.augment = two.augment = "flip";
  one.views = two.views = 2;
  one.epochs = two.epochs = 4;
  expect_same(go(one), go(two));
  one = recipe("one_balanced", "cpu"), two = recipe("two_balanced", "frozen=other,head=cpu");
  one.sampling = two.sampling = "balanced";
  expect_same(go(one), go(two));
}

// In the middle of the first epoch: four runs measure, twenty are an epoch.
TEST_F(UnlikeTest, GoesOnWhereItWasStopped) {
  const TrainResult whole = go(recipe("whole", "frozen=other,head=cpu"));
  Recipe cut = recipe("cut", "frozen=other,head=cpu");
  catch_stop_signals();
  other_runs().stop_at = 10;
  const TrainResult stopped = go(cut);
  other_runs().stop_at = -1;
  forget_stop_signal();
  EXPECT_EQ(stopped.status, TrainResult::interrupted);
  EXPECT_EQ(stopped.epochs, 0);
  cut.resume = true;
  const TrainResult resumed = go(cut);
  EXPECT_GT(resumed.resumed_from_step, 0);
  EXPECT_LT(resumed.resumed_from_step, 20);
  expect_same(whole, resumed);
  EXPECT_EQ(model_of("whole"), model_of("cut"));
}

// The error is the device's; what was saved stays, and another device goes on.
TEST_F(UnlikeTest, ALostDeviceEndsTheRun) {
  Recipe lost = recipe("lost", "frozen=other,head=cpu");
  KeptEvents events;
  other_runs().count = 0;
  other_runs().fail_at = 12;
  expect_error(ErrorKind::device, "the other one is lost", [&] { train(lost, events); });
  other_runs().fail_at = -1;
  lost.resume = true;
  lost.device = "cpu";
  expect_same(go(recipe("one", "cpu")), go(lost));
}

TEST_F(UnlikeTest, RefusesARecipeWithoutAFrozenPart) {
  Recipe all = recipe("run", "frozen=other,head=cpu");
  all.trainable = "all";
  KeptEvents events;
  expect_error(ErrorKind::invalid, "no frozen part, for all parameters train (trainable all)",
               [&] { train(all, events); });
  all.trainable = "0.weight";
  expect_error(ErrorKind::invalid, "no frozen layer comes before the first that trains",
               [&] { train(all, events); });
}

TEST_F(UnlikeTest, TheWordsOfTheOption) {
  const DeviceRoles roles = choose_roles("frozen=other,head=cpu");
  EXPECT_EQ(roles.frozen, &other_device());
  EXPECT_EQ(roles.head, &test_device());
  EXPECT_EQ(choose_roles("head=nothing,cpu,frozen=other").head, &test_device()) << "the first that answers";
  EXPECT_FALSE(choose_roles("other").named);
  EXPECT_EQ(choose_roles("nothing,other").frozen, &other_device());
  expect_error(ErrorKind::invalid, "expected frozen=D,head=E, found `body=cpu`",
               [] { choose_roles("frozen=other,body=cpu"); });
  expect_error(ErrorKind::invalid, "found `cpu`", [] { choose_roles("cpu,frozen=other"); });
  expect_error(ErrorKind::invalid, "says nothing of head", [] { choose_roles("frozen=other"); });
  expect_error(ErrorKind::invalid, "given twice", [] { choose_roles("frozen=other,frozen=cpu"); });
  expect_error(ErrorKind::device, "there is no device `nothing`",
               [] { choose_roles("frozen=other,head=nothing"); });
  EXPECT_THAT(choose_devices("cpu+other"), testing::ElementsAre(&test_device(), &other_device()));
  EXPECT_THAT(choose_devices("nothing,cpu"), testing::ElementsAre(&test_device()));
  expect_error(ErrorKind::invalid, "names cpu twice", [] { choose_devices("cpu+cpu"); });
  expect_error(ErrorKind::device, "there is no device `nothing`", [] { choose_devices("cpu+nothing"); });
  expect_error(ErrorKind::invalid, "roles, which only tune has",
               [] { choose_device("frozen=other,head=cpu"); });
  expect_error(ErrorKind::invalid, "shares samples among devices", [] { choose_device("cpu+other"); });
  expect_error(ErrorKind::device, "there is no device `file`",
               [] { choose_devices("file:/opt/c++/x=1.so"); });
}

TEST_F(UnlikeTest, SeveralDevicesEvaluateAsOne) {
  go(recipe("run", "cpu"));
  EvaluateOptions options{.model = run("run").string(), .data = data_, .split = "test"};
  options.batch = 4;
  options.threads = 1;
  KeptEvents events;
  const auto lines = [&](const std::string& device, Evaluation& result) {
    options.device = device;
    std::vector<std::string> all;
    result = evaluate(options, events, [&](const SampleLine& line) {
      all.push_back(line.file + " " + line.prediction + " " + std::to_string(line.score));
    });
    return all;
  };
  Evaluation one, both;
  const std::vector<std::string> alone = lines("cpu", one), shared = lines("cpu+other", both);
  EXPECT_EQ(alone, shared) << "in the order of the data";
  EXPECT_EQ(one.loss, both.loss);
  EXPECT_EQ(one.accuracy, both.accuracy);
  EXPECT_EQ(both.samples, 100);
  EXPECT_THAT(events.notes, Contains(HasSubstr("batches by device: cpu ")));
  other_runs().count = 0;
  other_runs().fail_at = 0;
  expect_error(ErrorKind::device, "device `other`: the other one is lost", [&] { lines("cpu+other", both); });
}

}  // namespace
}  // namespace temper
