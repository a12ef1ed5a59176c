// What scripts rely on: the keys of every JSON object and the exit codes.
#include "base/json.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "base/text.h"
#include "support/data.h"
#include "support/program.h"
#include "support/sanitizers.h"
#include "support/temporary_folder.h"

namespace temper {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsSupersetOf;

std::vector<std::string> keys(const Json& json) {
  std::vector<std::string> names;
  for (const auto& [name, value] : json.members()) names.push_back(name);
  return names;
}

class CommandLineTest : public testing::Test {
 protected:
  std::string in(const std::string& name) const { return (folder_.path() / name).string(); }

  Outcome temper(const std::string& words) const {
    return run_shell(concat("TEMPER_CACHE=off ", TEMPER_PROGRAM, " ", words), in("stderr.txt"));
  }
  Outcome tune(const std::string& words) const {
    return temper(concat("tune mlp:784-16-10 --data ", shipped_data("mnist").string(),
                         " --preprocess gray,unit --epochs 2 --json --out ", in("run"), " ", words));
  }
  std::string stderr_text() const {
    std::ifstream file(in("stderr.txt"));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TemporaryFolder folder_;
};

TEST_F(CommandLineTest, ResultOfTune) {
  const Outcome outcome = tune("--val-split 0.1");
  ASSERT_EQ(outcome.code, 0) << stderr_text();
  EXPECT_EQ(std::ranges::count(outcome.output, '\n'), 1);
  const Json json = Json::parse(outcome.output);
  EXPECT_THAT(keys(json),
              IsSupersetOf({"command", "version", "schema", "status", "device", "precision", "threads",
                            "seed", "epochs", "best_epoch", "train", "val", "test", "parameters", "seconds",
                            "samples_per_second", "peak_rss_bytes", "energy_joules", "files"}));
  EXPECT_EQ(json.at("command").text(), "tune");
  EXPECT_EQ(json.at("status").text(), "completed");
  for (const char* split : {"train", "val", "test"})
    EXPECT_THAT(keys(json.at(split)), IsSupersetOf({"loss", "accuracy"})) << split;
  EXPECT_THAT(keys(json.at("parameters")), testing::UnorderedElementsAre("total", "trained"));
  const Json& seconds = json.at("seconds");
  EXPECT_THAT(keys(seconds),
              testing::UnorderedElementsAre("total", "start", "load", "frozen", "train", "evaluate"));
  double parts = 0;
  for (const char* part : {"start", "load", "frozen", "train", "evaluate"})
    parts += seconds.at(part).number();
  EXPECT_LE(parts, seconds.at("total").number());
  EXPECT_GT(parts, 0);
  EXPECT_GT(json.at("samples_per_second").number(), 0);
  EXPECT_GT(json.at("peak_rss_bytes").number(), 1 << 20);
  for (const auto& [name, file] : json.at("files").members()) EXPECT_TRUE(fs::exists(file.text())) << name;
  std::ifstream result(in("run/result.json"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(result), {}), outcome.output)
      << "result.json is what --json prints";
}

TEST_F(CommandLineTest, ResultsOfEvalPredictAndBench) {
  ASSERT_EQ(tune("").code, 0) << stderr_text();
  const Json eval = Json::parse(
      temper(concat("eval ", in("run"), " --data ", shipped_data("mnist").string(), " --json")).output);
  EXPECT_THAT(keys(eval), IsSupersetOf({"command", "version", "schema", "split", "samples", "loss",
                                        "accuracy", "top5", "classes", "confusion", "seconds"}));
  ASSERT_EQ(eval.at("classes").items().size(), 10u);
  EXPECT_THAT(keys(eval.at("classes").items()[3]),
              IsSupersetOf({"label", "precision", "recall", "f1", "samples"}));
  int64_t counted = 0;
  for (const Json& row : eval.at("confusion").items()) {
    for (const Json& cell : row.items()) counted += cell.integer();
  }
  EXPECT_EQ(counted, eval.at("samples").integer());

  const fs::path photos = shipped_data("clothing10") / "test" / "hat";
  const std::string good = (photos / "01.jpg").string(), bad = folder_.write("bad.jpg", "no picture");
  const std::string words = concat(
      "predict ", in("run"), " --preprocess size:28x28,gray,unit --top 2 --json ", good, " ", bad, " ", good);
  const Outcome predict = temper(words);
  EXPECT_EQ(predict.code, 1) << "a bad file fails, the rest goes on";
  const std::vector<std::string_view> lines = split(trim(predict.output), '\n');
  ASSERT_EQ(lines.size(), 3u) << predict.output;
  const Json first = Json::parse(std::string(lines[0])), second = Json::parse(std::string(lines[1]));
  EXPECT_EQ(first.at("file").text(), good);
  ASSERT_EQ(first.at("top").items().size(), 2u);
  EXPECT_THAT(keys(first.at("top").items()[0]), testing::UnorderedElementsAre("label", "index", "score"));
  EXPECT_THAT(keys(second.at("error")), testing::UnorderedElementsAre("kind", "message", "file", "node"));
  EXPECT_EQ(second.at("error").at("file").text(), bad);
  EXPECT_EQ(lines[0], lines[2]);

  const std::vector<std::string> measured = {"command",
                                             "version",
                                             "schema",
                                             "device",
                                             "precision",
                                             "batch",
                                             "threads",
                                             "median_ms",
                                             "p99_ms",
                                             "samples_per_second",
                                             "gflops",
                                             "peak_gflops",
                                             "peak_rss_bytes",
                                             "model_seconds",
                                             "compile_seconds",
                                             "ready_seconds",
                                             "first_run_seconds",
                                             "plan"};
  const Json run = Json::parse(temper("bench mlp:784-16-10 --iterations 3 --json").output);
  EXPECT_THAT(keys(run), IsSupersetOf(measured));
  EXPECT_THAT(keys(run.at("plan")),
              testing::UnorderedElementsAre("launches", "reorders", "bytes", "arena_bytes", "state_bytes"));
  const Json step = Json::parse(temper("bench mlp:784-16-10 --train --batch 8 --iterations 3 --json").output);
  EXPECT_THAT(keys(step), IsSupersetOf(measured));
  EXPECT_THAT(keys(step), IsSupersetOf({"steps", "seconds", "loss_first", "loss_last"}));
  EXPECT_LE(step.at("compile_seconds").number(), step.at("first_run_seconds").number() + 0.02);
  const Json loader = Json::parse(
      temper(concat("bench cnn --preprocess size:32x32,unit --duration 0.2 --batch 8 --json --data ",
                    (shipped_data("clothing10") / "test").string()))
          .output);
  EXPECT_THAT(keys(loader), IsSupersetOf({"command", "version", "schema", "data", "batch", "threads",
                                          "samples", "seconds", "samples_per_second", "peak_rss_bytes"}));
  EXPECT_GT(loader.at("samples").integer(), 0);
}

TEST_F(CommandLineTest, PredictIsTheSameFromTheCache) {
  ASSERT_EQ(tune("").code, 0) << stderr_text();
  const std::string photo = (shipped_data("clothing10") / "test" / "hat" / "01.jpg").string();
  const std::string words = concat(TEMPER_PROGRAM, " predict ", in("run"),
                                   " --preprocess size:28x28,gray,unit --top 3 --json ", photo);
  const auto with_cache = [&](const std::string& command) {
    return run_shell(concat("export TEMPER_CACHE=", in("cache"), "; ", command), in("stderr.txt"));
  };
  // Two that start at once write the same file, each under a name of its own first.
  const Outcome both = with_cache(
      concat(words, " > ", in("a"), " & ", words, " > ", in("b"), "; wait; cat ", in("a"), " ", in("b")));
  EXPECT_EQ(std::distance(fs::directory_iterator(in("cache/programs")), fs::directory_iterator()), 1);
  const Outcome cached = with_cache(words), fresh = run_shell("TEMPER_CACHE=off " + words, in("stderr.txt"));
  ASSERT_EQ(fresh.code, 0) << stderr_text();
  EXPECT_EQ(cached.output, fresh.output);
  EXPECT_EQ(both.output, fresh.output + fresh.output);
}

TEST_F(CommandLineTest, MemoryIsALimitOfTheProcess) {
  if (TEST_SANITIZED) GTEST_SKIP() << "skipped, because a sanitizer takes more memory than the step";
  const std::string words = "bench mobilenet_v2 --train --batch 8 --iterations 3 --no-peaks --json ";
  const Json free = Json::parse(temper(words).output);
  const auto most = free.at("peak_rss_bytes").integer();
  for (const double share : {0.85, 0.65}) {
    const auto limit = static_cast<int64_t>(share * static_cast<double>(most));
    const Outcome outcome = temper(words + concat("--memory ", limit));
    ASSERT_EQ(outcome.code, 0) << stderr_text();
    const Json small = Json::parse(outcome.output);
    EXPECT_LE(small.at("peak_rss_bytes").integer(), limit);
    EXPECT_LE(small.at("memory").at("needed").integer(), limit);
    EXPECT_GT(small.at("memory").at("repeated_launches").integer(), 0);
    EXPECT_EQ(small.at("loss_first").number(), free.at("loss_first").number());
  }
  const Outcome refused = temper(words + "--memory 150M");
  EXPECT_EQ(refused.code, 4);
  const Json error = Json::parse(refused.output).at("error");
  EXPECT_EQ(error.at("kind").text(), "exhausted");
  EXPECT_THAT(error.at("message").text(), HasSubstr("memory: a step of batch 8 needs at least "));
  EXPECT_EQ(temper("inspect mobilenet_v2 --train --batch 8 --plan --memory 150M").code, 4);
}

TEST_F(CommandLineTest, APlanSaysWhatBecomesOfEachNode) {
  const Json plan = Json::parse(temper("inspect cnn --train --plan --batch 8 --device cpu --json").output);
  EXPECT_THAT(keys(plan),
              IsSupersetOf({"command", "version", "schema", "device", "nodes", "memory", "predicted_ms"}));
  EXPECT_EQ(plan.at("device").text(), "cpu");
  std::map<std::string, int> fates;
  for (const Json& node : plan.at("nodes").items()) {
    EXPECT_THAT(keys(node), testing::UnorderedElementsAre("name", "op", "fate", "into", "why"));
    EXPECT_NE(node.at("name").text(), "");
    EXPECT_EQ(node.at("into").is_null(), node.at("fate").text() == "kernel") << node.dump();
    ++fates[node.at("fate").text()];
  }
  EXPECT_GT(fates["kernel"], 20);
  EXPECT_GT(fates["fused"], 20);
  EXPECT_EQ(fates["refused"], 0);
  const Json& memory = plan.at("memory");
  EXPECT_THAT(keys(memory),
              IsSupersetOf({"code", "arguments", "outputs", "temporaries", "total", "limit", "fits"}));
  int64_t total = 0;
  for (const char* part : {"code", "arguments", "outputs", "temporaries"}) total += memory.at(part).integer();
  EXPECT_EQ(memory.at("total").integer(), total);
  EXPECT_EQ(memory.at("fits").boolean(), total <= memory.at("limit").integer());
  EXPECT_GT(plan.at("predicted_ms").number(), 0);
  const std::string text = temper("inspect cnn --train --plan --batch 8 --device cpu").output;
  EXPECT_THAT(text, HasSubstr("conv2d+max"));
  EXPECT_THAT(text, HasSubstr(" in all, fits "));
  EXPECT_THAT(text, HasSubstr("predicted: "));
}

TEST_F(CommandLineTest, DevicesAndWhyOneIsAbsent) {
  const Json list = Json::parse(temper("devices --json").output);
  bool cpu = false, tpu = false;
  for (const Json& device : list.at("devices").items()) {
    EXPECT_THAT(keys(device),
                IsSupersetOf({"name", "kind", "present", "why", "memory_bytes", "peaks", "energy_source"}));
    EXPECT_EQ(device.at("why").is_null(), device.at("present").boolean()) << device.dump();
    if (device.at("name").text() == "cpu") {
      cpu = true;
      EXPECT_GT(device.at("memory_bytes").integer(), 0);
      EXPECT_GT(device.at("peaks").at("f32_gflops").number(), 0);
      EXPECT_GT(device.at("peaks").at("gbytes_per_second").number(), 0);
    }
    if (device.at("name").text() != "tpu" || device.at("present").boolean()) continue;
    tpu = true;
    EXPECT_THAT(device.at("why").text(), testing::AnyOf(HasSubstr("looked in"), HasSubstr("has no TPU")));
  }
  EXPECT_TRUE(cpu);
  EXPECT_TRUE(tpu) << "on a machine without one";
}

TEST_F(CommandLineTest, APlanNamesWhatFusionSaves) {
  const Json plan = Json::parse(temper("inspect cnn --train --plan --json").output);
  ASSERT_GT(plan.at("fusions").items().size(), 4u);
  for (const Json& fusion : plan.at("fusions").items()) {
    EXPECT_THAT(keys(fusion), testing::UnorderedElementsAre("kind", "node", "nodes", "bytes_apart",
                                                            "bytes_fused", "bytes_saved"));
    EXPECT_GT(fusion.at("nodes").integer(), 1);
  }
  EXPECT_THAT(temper("inspect cnn --train --plan").output, HasSubstr("fusion saves "));
}

TEST_F(CommandLineTest, AnUpdateIsMeasuredAlone) {
  const Json plain =
      Json::parse(temper("bench mlp:784-512-10 --update --optimizer adamw --iterations 3 --json").output);
  EXPECT_EQ(plain.at("parameters").integer(), 784 * 512 + 512 + 512 * 10 + 10);
  const auto each = [](const Json& json) {
    return json.at("plan").at("bytes").number() / json.at("parameters").number();
  };
  EXPECT_NEAR(each(plain), 28, 0.1) << "p, m, v read and written, the gradient read";
  const Json more = Json::parse(
      temper("bench mlp:784-512-10 --update --optimizer adamw --clip-norm 1 --ema 0.9 --iterations 3 --json")
          .output);
  EXPECT_NEAR(each(more), 40, 0.1) << "the gradient once more for its norm, the average read and written";
}

TEST_F(CommandLineTest, AMissedTargetIsExitCode3) {
  EXPECT_EQ(tune("--min test.accuracy=0.999").code, 3);
  EXPECT_THAT(stderr_text(), HasSubstr("target missed: test.accuracy is 0."));
  EXPECT_TRUE(fs::exists(in("run/model.onnx"))) << "outputs are written all the same";
  const std::string eval = concat("eval ", in("run"), " --data ", shipped_data("mnist").string(), " --json ");
  EXPECT_EQ(temper(eval + "--min accuracy=0.1 --max loss=10").code, 0);
  EXPECT_EQ(temper(eval + "--max loss=0.001").code, 3);
  EXPECT_EQ(temper(eval + "--min accuracy=0.1 --max loss=0.001").code, 3) << "one of two is missed";
  EXPECT_EQ(temper(eval + "--min acuracy=0.1").code, 2);
  EXPECT_THAT(stderr_text(), HasSubstr("acuracy"));
}

}  // namespace
}  // namespace temper
