// The commands on OpenCL: the same results as on the processor, and nothing opened that was not asked for.
#include "support/opencl.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/json.h"
#include "base/text.h"
#include "support/data.h"
#include "support/program.h"
#include "support/sanitizers.h"
#include "support/temporary_folder.h"

namespace temper {
namespace {

using testing::HasSubstr;

class OpenclProgram : public testing::Test {
 protected:
  std::string in(const std::string& name) const { return (folder_.path() / name).string(); }
  Outcome temper(const std::string& words, const std::string& variables = "") const {
    return run_shell(concat("TEMPER_CACHE=", in("cache"), " ", variables, " ", TEMPER_PROGRAM, " ", words),
                     in("stderr.txt"));
  }
  Json json(const std::string& words) const {
    const Outcome outcome = temper(words + " --json");
    EXPECT_EQ(outcome.code, 0) << words << "\n" << outcome.errors;
    return Json::parse(outcome.output.empty() ? "{}" : outcome.output);
  }
  static std::string mobilenet() { return shipped_data("mobilenet_v1_0.25_224.onnx").string(); }

  TemporaryFolder folder_;
};

class OpenclThere : public OpenclProgram {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_opencl(); !why.empty())
      GTEST_SKIP() << "skipped, because there is no OpenCL device: ./run install test (" << why << ")";
  }
};

// A head on a frozen MobileNet.
TEST_F(OpenclThere, TunesAHeadAndEvaluates) {
  const std::string data = concat(" --data ", shipped_data("clothing10").string(), " --device ");
  const std::string tune =
      concat("tune ", mobilenet(),
             " --preprocess short:256,crop:224,mean:127.5,std:127.5 --head gap,dense --lr 1e-2 "
             "--epochs 2",
             data);
  const Json here = json(concat(tune, "cpu --out ", in("here"))),
             there = json(concat(tune, "opencl --out ", in("there")));
  EXPECT_EQ(there.at("device").text(), "opencl");
  for (const char* key : {"train.loss", "test.loss"})
    EXPECT_NEAR(there.find(key)->number(), here.find(key)->number(), 1e-3) << key;
  EXPECT_NEAR(there.find("test.accuracy")->number(), here.find("test.accuracy")->number(), 0.005);
  const Json evaluated = json(concat("eval ", in("there"), data, "opencl"));
  EXPECT_NEAR(evaluated.at("accuracy").number(), there.find("test.accuracy")->number(), 1e-9);
}

TEST_F(OpenclThere, PredictsAsTheProcessor) {
  const std::string words =
      concat("predict ", mobilenet(), " ", shipped_data("clothing10/test/dress/02.jpg").string(),
             " --preprocess short:256,crop:224,mean:127.5,std:127.5 --top 1 --device ");
  const Json here = json(words + "cpu"), there = json(words + "opencl");
  EXPECT_EQ(here.at("top").items()[0].at("index").number(), there.at("top").items()[0].at("index").number());
  EXPECT_NEAR(here.at("top").items()[0].at("score").number(), there.at("top").items()[0].at("score").number(),
              1e-4);
}

TEST_F(OpenclThere, EveryNodeRunsThere) {
  const Outcome plan = temper("inspect cnn --train --plan --device opencl");
  EXPECT_EQ(plan.code, 0) << plan.errors;
  EXPECT_THAT(plan.output, testing::Not(HasSubstr("refuse")));
  const Json bench = json("bench mlp:20-10-5 --train --device opencl:0 --duration 0.1");
  EXPECT_EQ(bench.at("device").text(), "opencl:0");
}

TEST_F(OpenclThere, DevicesAreListed) {
  const Outcome devices = temper("devices");
  EXPECT_EQ(devices.code, 0) << devices.errors;
  EXPECT_THAT(devices.output, HasSubstr("platform: Portable Computing Language"));
}

// Without a loader: exit code 4, and what to install; with another device named after it, that one.
TEST_F(OpenclProgram, SaysWhatIsMissing) {
  const Outcome alone =
      temper("bench mlp:20-10-5 --device opencl --duration 0.1", "TEMPER_OPENCL_LIBRARY=/nowhere/cl.so");
  EXPECT_EQ(alone.code, 4);
  EXPECT_THAT(alone.errors, HasSubstr("there is no OpenCL loader '/nowhere/cl.so'"));
  EXPECT_THAT(alone.errors, HasSubstr("ocl-icd-libopencl1"));
  const Outcome next = temper("bench mlp:20-10-5 --device opencl,cpu --duration 0.1 --json",
                              "TEMPER_OPENCL_LIBRARY=/nowhere/cl.so");
  EXPECT_EQ(next.code, 0) << next.errors;
  EXPECT_EQ(Json::parse(next.output).at("device").text(), "cpu");
  EXPECT_THAT(next.errors, HasSubstr("`opencl` does not answer, `cpu` is next"));
}

// What the loader opens, by its own account.
TEST_F(OpenclProgram, NothingIsOpenedUnlessAskedFor) {
  if (TEST_SANITIZED) GTEST_SKIP() << "skipped, because a sanitizer has its own loader";
  const Outcome outcome = temper("bench mlp:20-10-5 --duration 0.05 --json --device cpu",
                                 concat("LD_DEBUG=files LD_DEBUG_OUTPUT=", in("loader")));
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  std::string text;
  for (const auto& file : std::filesystem::directory_iterator(folder_.path())) {
    if (!file.path().filename().string().starts_with("loader")) continue;
    std::ifstream stream(file.path());
    text.append(std::istreambuf_iterator<char>(stream), {});
  }
  EXPECT_THAT(text, testing::AllOf(HasSubstr("libc.so"), testing::Not(HasSubstr("libOpenCL"))));
}

}  // namespace
}  // namespace temper
