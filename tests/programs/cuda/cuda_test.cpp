// The commands on CUDA, by the fake of tests/support/cuda_fake: the same results as on the processor, and why
// there is none.
#include "support/cuda.h"

#include "support/device_program.h"
#include "support/sanitizers.h"

namespace temper {
namespace {

using testing::HasSubstr;

class CudaProgram : public DeviceProgram {
 protected:
  void SetUp() override { use_fake_cuda(); }
};

TEST_F(CudaProgram, TunesAndEvaluates) {
  const std::string data = concat(" --data ", shipped_data("mnist").string(), " --device ");
  const std::string tune =
      concat("tune mlp:784-32-10 --preprocess gray,unit --val-split 0.1 --epochs 2", data);
  const Json here = json(concat(tune, "cpu --out ", in("here"))),
             there = json(concat(tune, "cuda --out ", in("there")));
  EXPECT_EQ(there.at("device").text(), "cuda");
  expect_same_training(here, there, {"train.loss", "val.loss", "test.loss"});
  const Json evaluated = json(concat("eval ", in("there"), data, "cuda"));
  EXPECT_NEAR(evaluated.at("accuracy").number(), there.find("test.accuracy")->number(), 1e-9);
}

TEST_F(CudaProgram, PredictsAsTheProcessor) { expect_predicts_as_the_processor("cuda"); }

TEST_F(CudaProgram, EveryNodeRunsThere) {
  const Outcome plan = temper("inspect cnn --train --plan --batch 8 --device cuda");
  EXPECT_EQ(plan.code, 0) << plan.errors;
  EXPECT_THAT(plan.output, testing::Not(HasSubstr("refuse")));
  EXPECT_THAT(plan.output, HasSubstr("cuBLASLt"));
}

TEST_F(CudaProgram, BenchCountsTheEnergyOfTheGpu) {
  const Json bench = json("bench mlp:20-10-5 --train --device cuda:0 --iterations 5");
  EXPECT_EQ(bench.at("device").text(), "cuda:0");
  EXPECT_THAT(bench.at("energy_source").text(), HasSubstr("NVML"));
  EXPECT_LT(bench.at("loss_last").number(), bench.at("loss_first").number());
}

TEST_F(CudaProgram, DevicesAreListed) {
  const Outcome devices = temper("devices");
  EXPECT_EQ(devices.code, 0) << devices.errors;
  EXPECT_THAT(devices.output, HasSubstr("cuda  Fake GPU, 4 multiprocessors"));
  EXPECT_THAT(devices.output, HasSubstr("energy: NVML"));
}

// Whatever is missing: exit code 4 and the reason; with another device named after it, that one.
TEST_F(CudaProgram, SaysWhatIsMissing) {
  const std::string nowhere = "TEMPER_CUDA_PATH=/nowhere";
  const Outcome alone = temper("bench mlp:20-10-5 --device cuda --duration 0.1", nowhere);
  EXPECT_EQ(alone.code, 4);
  EXPECT_THAT(alone.errors, HasSubstr("there is no NVIDIA driver (libcuda.so.1)"));
  const Outcome next = temper("bench mlp:20-10-5 --device cuda,cpu --duration 0.1 --json", nowhere);
  EXPECT_EQ(next.code, 0) << next.errors;
  EXPECT_EQ(Json::parse(next.output).at("device").text(), "cpu");
  EXPECT_THAT(next.errors, HasSubstr("`cuda` does not answer, `cpu` is next"));
  const Outcome devices = temper("devices", nowhere);
  EXPECT_THAT(devices.output, HasSubstr("cuda  absent: there is no NVIDIA driver"));
  const Outcome old = temper("bench mlp:20-10-5 --device cuda", "TEMPER_FAKE_CUDA_VERSION=11040");
  EXPECT_EQ(old.code, 4);
  EXPECT_THAT(old.errors, HasSubstr("it has CUDA 11.4, 12.0 is wanted"));
}

// Lost in the second epoch or the third: the last checkpoint stays, and the processor goes on from it.
TEST_F(CudaProgram, ALostGpuLeavesACheckpoint) {
  const std::string tune = concat("tune mlp:784-32-10 --preprocess gray,unit --val-split 0.1 --data ",
                                  shipped_data("mnist").string(), " --epochs 4 --json --out ", in("run"));
  const Outcome lost = temper(tune + " --device cuda", "TEMPER_FAKE_CUDA_LOST_AT=2500");
  EXPECT_EQ(lost.code, 4) << lost.output << lost.errors;
  EXPECT_THAT(lost.output, HasSubstr("it is lost to this process"));
  ASSERT_TRUE(std::filesystem::exists(in("run/last.ckpt")));
  const Outcome resumed = temper(tune + " --resume --device cpu");
  ASSERT_EQ(resumed.code, 0) << resumed.errors;
  const Json result = Json::parse(resumed.output);
  EXPECT_EQ(result.at("status").text(), "completed");
  EXPECT_EQ(result.at("device").text(), "cpu");
  EXPECT_GT(result.at("resumed_from_step").integer(), 0);
}

TEST_F(CudaProgram, NothingIsOpenedUnlessAskedFor) {
  if (TEST_SANITIZED) GTEST_SKIP() << "skipped, because a sanitizer has its own loader";
  EXPECT_THAT(opened_by("bench mlp:20-10-5 --duration 0.05 --json --device cpu"),
              testing::Not(testing::AnyOf(HasSubstr("libcuda"), HasSubstr("libnvrtc"))));
}

}  // namespace
}  // namespace temper
