// The commands on OpenCL: the same results as on the processor, and nothing opened that was not asked for.
#include "support/device_program.h"
#include "support/sanitizers.h"

namespace temper {
namespace {

using testing::HasSubstr;

using OpenclProgram = DeviceProgram;

class OpenclThere : public OpenclProgram {
 protected:
  void SetUp() override { TEMPER_NEED_OPENCL(); }
};

// A head on a frozen MobileNet.
TEST_F(OpenclThere, TunesAHeadAndEvaluates) {
  const std::string data = concat(" --data ", shipped_data("clothing10").string(), " --device ");
  const std::string tune =
      concat("tune ", mobilenet(), kPhotos, "--head gap,dense --lr 1e-2 --epochs 2", data);
  const Json here = json(concat(tune, "cpu --out ", in("here"))),
             there = json(concat(tune, "opencl --out ", in("there")));
  EXPECT_EQ(there.at("device").text(), "opencl");
  expect_same_training(here, there, {"train.loss", "test.loss"});
  const Json evaluated = json(concat("eval ", in("there"), data, "opencl"));
  EXPECT_NEAR(evaluated.at("accuracy").number(), there.find("test.accuracy")->number(), 1e-9);
}

TEST_F(OpenclThere, PredictsAsTheProcessor) { expect_predicts_as_the_processor("opencl"); }

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

TEST_F(OpenclProgram, NothingIsOpenedUnlessAskedFor) {
  if (TEST_SANITIZED) GTEST_SKIP() << "skipped, because a sanitizer has its own loader";
  EXPECT_THAT(opened_by("bench mlp:20-10-5 --duration 0.05 --json --device cpu"),
              testing::Not(HasSubstr("libOpenCL")));
}

}  // namespace
}  // namespace temper
