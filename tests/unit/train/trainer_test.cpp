#include "train/trainer.h"

#include <gmock/gmock.h>

#include <csignal>
#include <functional>

#include "base/json.h"
#include "base/stop_signal.h"
#include "support/expect_error.h"
#include "train/checkpoint.h"
#include "train/result.h"
#include "unit/train/run.h"

namespace temper {
namespace {

using testing::Contains;
using testing::HasSubstr;

// Does something when a phase has come so far.
class ActingEvents : public KeptEvents {
 public:
  ActingEvents(std::string phase, int64_t at_call, std::function<void()> act)
      : phase_(std::move(phase)), at_call_(at_call), act_(std::move(act)) {}
  void progress(std::string_view phase, int64_t, int64_t, const NamedNumbers&) override {
    if (phase == phase_ && ++calls_ == at_call_) act_();
  }
  void epoch(const EpochReport& report) override {
    KeptEvents::epoch(report);
    if (phase_ == "epoch" && report.epoch == at_call_) act_();
  }

 private:
  std::string phase_;
  int64_t at_call_, calls_ = 0;
  std::function<void()> act_;
};

void ask_to_stop() {
  catch_stop_signals();
  raise(SIGTERM);
}

struct Killed {};

std::map<std::string, Tensor> final_state(const std::filesystem::path& run) {
  return read_checkpoint((run / "last.ckpt").string()).state;
}

void expect_same_run(const std::filesystem::path& a, const std::filesystem::path& b) {
  EXPECT_EQ(bytes_of(a / "model.onnx"), bytes_of(b / "model.onnx"));
  const auto first = final_state(a), second = final_state(b);
  ASSERT_EQ(first.size(), second.size());
  for (const auto& [name, tensor] : first) EXPECT_TRUE(tensor == second.at(name)) << name;
}

class TrainerTest : public testing::Test {
 protected:
  TrainerTest() : data_(write_quarters(folder_, 400, 100)) {}

  Recipe recipe(const std::string& out) const { return small_recipe(folder_, data_, out); }
  std::filesystem::path run(const std::string& out) const { return folder_.path() / out; }
  TrainResult go(const Recipe& recipe) {
    KeptEvents events;
    const TrainResult result = train(recipe, events);
    notes_ = events.notes;
    return result;
  }
  // Stops a run, resumes it, and compares with one that was not stopped.
  void check_resume(Recipe whole, ActingEvents& events, bool saves) {
    whole.out = run("whole").string();
    go(whole);
    Recipe cut = whole;
    cut.out = run("cut").string();
    try {
      const TrainResult stopped = train(cut, events);
      EXPECT_TRUE(saves);
      EXPECT_EQ(stopped.status, TrainResult::interrupted);
      EXPECT_EQ(stopped.stop_signal, SIGTERM);
      EXPECT_THAT(events.notes, Contains(HasSubstr("--resume")));
    } catch (const Killed&) {
      EXPECT_FALSE(saves);
    }
    forget_stop_signal();
    cut.resume = true;
    const TrainResult resumed = go(cut);
    EXPECT_EQ(resumed.status, TrainResult::completed);
    expect_same_run(run("whole"), run("cut"));
    EXPECT_EQ(resumed.history.size(), static_cast<size_t>(whole.epochs));
  }

  TemporaryFolder folder_;
  std::string data_;
  std::vector<std::string> notes_;
};

TEST_F(TrainerTest, LearnsAndWritesTheFolderOfTheRun) {
  const TrainResult result = go(recipe("run"));
  EXPECT_EQ(result.status, TrainResult::completed);
  ASSERT_EQ(result.history.size(), 3u);
  EXPECT_LT(result.history[2].train_loss, 0.5 * result.history[0].train_loss);
  EXPECT_EQ(result.history[2].step, 75);
  ASSERT_TRUE(result.test);
  EXPECT_GT(result.test->accuracy, 0.9);
  EXPECT_EQ(result.test->samples, 100);
  EXPECT_EQ(result.parameters_trained, 64 * 16 + 16 + 16 * 4 + 4);
  for (const char* name :
       {"model.onnx", "best.ckpt", "last.ckpt", "recipe.toml", "history.csv", "report.html", "result.json"})
    EXPECT_TRUE(std::filesystem::exists(run("run") / name)) << name;
  const Json json = Json::parse(bytes_of(run("run") / "result.json"));
  EXPECT_EQ(json.at("status").text(), "completed");
  EXPECT_EQ(json.find("test.accuracy")->number(), result.test->accuracy);
  EXPECT_TRUE(json.at("val").is_null());
  EXPECT_THAT(bytes_of(run("run") / "history.csv"),
              testing::StartsWith(
                  "epoch,step,lr,seconds,train.loss,train.accuracy,val.loss,val.accuracy\n1,25,0.01,"));
}

TEST_F(TrainerTest, TheWrittenModelScoresTheSame) {
  const TrainResult result = go(recipe("run"));
  EvaluateOptions options;
  options.model = run("run").string();
  options.data = data_;
  KeptEvents events;
  std::vector<SampleLine> lines;
  const Evaluation evaluation =
      evaluate(options, events, [&](const SampleLine& line) { lines.push_back(line); });
  EXPECT_EQ(evaluation.split, "test");
  EXPECT_EQ(evaluation.accuracy, result.test->accuracy);
  EXPECT_NEAR(evaluation.loss, result.test->loss, 1e-5);
  EXPECT_EQ(lines.size(), 100u);
  EXPECT_EQ(evaluation.confusion, result.test->confusion);
}

TEST_F(TrainerTest, ItsRecipeRepeatsTheRun) {
  Recipe first = recipe("one");
  first.schedule = "cosine", first.warmup = 5, first.label_smoothing = 0.1, first.val_split = 0.2;
  go(first);
  Recipe again = read_recipe((run("one") / "recipe.toml").string());
  EXPECT_EQ(again.monitor, "val.loss");
  EXPECT_EQ(again.trainable, "all");
  again.out = run("two").string();
  go(again);
  expect_same_run(run("one"), run("two"));
}

TEST_F(TrainerTest, ThreadsDoNotChangeTheBits) {
  Recipe one = recipe("one"), two = recipe("two");
  two.threads = 2;
  go(one);
  go(two);
  expect_same_run(run("one"), run("two"));
}

TEST_F(TrainerTest, SeedsDo) {
  Recipe one = recipe("one"), two = recipe("two");
  two.seed = 1;
  go(one);
  go(two);
  EXPECT_NE(bytes_of(run("one") / "model.onnx"), bytes_of(run("two") / "model.onnx"));
}

TEST_F(TrainerTest, ResumesAfterASignal) {
  Recipe whole = recipe("");
  whole.val_split = 0.25, whole.epochs = 2;
  ActingEvents events("evaluate", 2, ask_to_stop);
  check_resume(whole, events, true);
}

TEST_F(TrainerTest, ResumesInTheMiddleOfAnEpoch) {
  Recipe whole = recipe("");
  whole.accumulate = 3, whole.ema = 0.9, whole.clip_norm = 1, whole.schedule = "plateau:1:0.5",
  whole.sampling = "balanced";
  whole.epochs = 40;  // long enough for progress to be shown within an epoch
  ActingEvents events("epoch", 2, ask_to_stop);
  check_resume(whole, events, true);
}

TEST_F(TrainerTest, ResumesAfterBeingKilled) {
  Recipe whole = recipe("");
  whole.val_split = 0.25, whole.optimizer = "sgd", whole.momentum = 0.9;
  ActingEvents events("epoch", 2, [] { throw Killed(); });
  check_resume(whole, events, false);
}

TEST_F(TrainerTest, ResumesAfterBeingKilledBeforeTheFirstCheckpoint) {
  Recipe whole = recipe("");
  ActingEvents events("load", 1, [] { throw Killed(); });
  check_resume(whole, events, false);
  EXPECT_THAT(notes_, Contains(HasSubstr("holds no checkpoint: the run starts afresh")));
}

TEST_F(TrainerTest, AFinishedRunIsResumedForMoreEpochs) {
  Recipe recipe = this->recipe("run");
  go(recipe);
  Recipe longer = recipe;
  longer.resume = true, longer.epochs = 5;
  const TrainResult result = go(longer);
  EXPECT_EQ(result.resumed_from_step, 75);
  EXPECT_EQ(result.history.size(), 5u);
  Recipe whole = this->recipe("whole");
  whole.epochs = 5;
  go(whole);
  expect_same_run(run("whole"), run("run"));
}

TEST_F(TrainerTest, StopsEarly) {
  Recipe patient = recipe("patient");  // the accuracy comes to its end soon
  patient.val_split = 0.25, patient.epochs = 200, patient.patience = 2, patient.monitor = "val.accuracy";
  const TrainResult result = go(patient);
  EXPECT_EQ(result.status, TrainResult::stopped_early);
  EXPECT_LT(result.epochs, 200);
  EXPECT_EQ(result.best_epoch, result.epochs - 2);
  const double best = result.history[static_cast<size_t>(result.best_epoch - 1)].val_accuracy;
  for (const EpochReport& report : result.history) EXPECT_LE(report.val_accuracy, best);

  Recipe timed = recipe("timed");
  timed.max_time = 1e-6;
  const TrainResult hurried = go(timed);
  EXPECT_EQ(hurried.status, TrainResult::stopped_early);
  EXPECT_EQ(hurried.history[0].step, 1);
}

TEST_F(TrainerTest, TheBestEpochIsKept) {
  Recipe recipe = this->recipe("run");
  recipe.val_split = 0.25, recipe.epochs = 4, recipe.monitor = "train.accuracy",
  recipe.schedule = "step:2:0.01";
  const TrainResult result = go(recipe);
  ASSERT_GE(result.best_epoch, 1);
  const EpochReport& best = result.history[static_cast<size_t>(result.best_epoch - 1)];
  EXPECT_EQ(result.train->accuracy, best.train_accuracy);
  EXPECT_EQ(result.val->loss, best.val_loss);
  EXPECT_EQ(result.history[0].lr, 0.01);
  EXPECT_EQ(result.history[3].lr, 0.01 * 0.01);
}

TEST_F(TrainerTest, AccumulatingIsALargerBatch) {
  Recipe large = recipe("large"), parts = recipe("parts");
  large.batch = 32, parts.batch = 16, parts.accumulate = 2;
  const TrainResult a = go(large), b = go(parts);
  EXPECT_EQ(a.history[2].step, b.history[2].step);
  EXPECT_NEAR(a.history[2].train_loss, b.history[2].train_loss, 1e-4);
}

TEST_F(TrainerTest, FolderRules) {
  go(recipe("run"));
  expect_error(ErrorKind::invalid, "holds a run; go on with --resume, replace it with --overwrite",
               [&] { go(recipe("run")); });
  Recipe other = recipe("run");
  other.resume = true, other.batch = 8;
  expect_error(ErrorKind::invalid, "batch (was 16, now 8)", [&] { go(other); });
  Recipe over = recipe("run");
  over.overwrite = true;
  EXPECT_EQ(go(over).status, TrainResult::completed);
  Recipe nowhere = recipe("run");
  nowhere.out.clear(), nowhere.resume = true;
  expect_error(ErrorKind::invalid, "resume: say which run with --out DIR", [&] { go(nowhere); });
  folder_.write("file", "");
  expect_error(ErrorKind::invalid, "out: cannot make the folder", [&] { go(recipe("file")); });
}

TEST_F(TrainerTest, ALossThatIsNotFiniteIsNamed) {
  Recipe recipe = this->recipe("run");
  recipe.optimizer = "sgd", recipe.lr = 1e6, recipe.loss = "mse", recipe.epochs = 50;
  expect_error(ErrorKind::invalid, "not finite", [&] { go(recipe); });
  expect_error(ErrorKind::invalid, "learning rate 1e+06", [&] {
    recipe.overwrite = true;
    go(recipe);
  });
  EXPECT_FALSE(std::filesystem::exists(run("run") / "model.onnx"));
}

TEST_F(TrainerTest, MistakesAreNamed) {
  const auto mistake = [&](std::string_view name, std::string_view text, ErrorKind kind,
                           const std::string& part) {
    Recipe recipe = this->recipe("mistake");
    set(recipe, name, text);
    recipe.overwrite = true;
    expect_error(kind, part, [&] { go(recipe); });
  };
  mistake("schedule", "linear", ErrorKind::invalid, "schedule: expected constant, step");
  mistake("head", "dense:0", ErrorKind::invalid, "head: step \"dense:0\"");
  mistake("model", "resnet17", ErrorKind::not_found, "did you mean resnet1");
  mistake("model", "mlp:64-16-4-", ErrorKind::invalid, "mlp");
  mistake("model", "mlp:65-4", ErrorKind::invalid,
          "a sample of the data is f32[1, 8, 8], but input input of the model is f32[N, 65]");
  mistake("data", "/nowhere", ErrorKind::not_found, "/nowhere");
  mistake("device", "cuda", ErrorKind::device, "cuda");
  mistake("precision", "f16", ErrorKind::unsupported,
          "precision: f16 is not supported by tune; use f32 or bf16");
  mistake("precision", "int8", ErrorKind::invalid,
          "precision: expected one of f32, bf16, f16, found \"int8\"");
  mistake("insert-norm", "", ErrorKind::unsupported, "insert-norm");
  mistake("views", "3", ErrorKind::invalid, "views: without --augment");
  mistake("cut", "relu", ErrorKind::invalid, "cut: says where a new head is attached");
  mistake("monitor", "val.loss", ErrorKind::invalid, "monitor: val.loss needs validation data");
}

}  // namespace
}  // namespace temper
