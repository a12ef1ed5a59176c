// Whole training steps compiled for a TPU that is not here.
#include "pjrt_program.h"
#include "support/sanitizers.h"

namespace temper {
namespace {

using testing::HasSubstr;

class TpuCompiler : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(tpu_compiler()))
      GTEST_SKIP() << "skipped, because there is no libtpu: ./run install test";
    if (TEST_SANITIZED) GTEST_SKIP() << "skipped, because libtpu does not run under a sanitizer";
  }
  Outcome temper(const std::string& words) const {
    return run_shell(concat("TEMPER_CACHE=off TPU_LIBRARY_PATH=", tpu_compiler().string(), " ",
                            TEMPER_PROGRAM, " ", words),
                     (folder_.path() / "stderr.txt").string());
  }
  Json memory(const std::string& words) const {
    const Outcome outcome = temper(concat("inspect ", words, " --train --plan --json"));
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    return Json::parse(outcome.output.empty() ? "{}" : outcome.output).at("memory");
  }

  TemporaryFolder folder_;
};

// Parameters, as many numbers of momentum, five sums.
void expect_state_donated(const Json& memory, int64_t parameters) {
  EXPECT_EQ(memory.at("donated_unpadded").integer(), 2 * 4 * parameters + 5 * 4);
  EXPECT_GE(memory.at("donated").integer(), memory.at("donated_unpadded").integer());
  EXPECT_GE(memory.at("arguments").integer(), memory.at("arguments_unpadded").integer());
  EXPECT_GT(memory.at("code").integer(), 0);
  EXPECT_GT(memory.at("temporaries").integer(), 0);
  EXPECT_EQ(memory.at("limit").integer(), int64_t{16} << 30);
  EXPECT_TRUE(memory.at("fits").boolean());
}

TEST_F(TpuCompiler, TakesAPerceptron) {
  constexpr int64_t kParameters = 784 * 128 + 128 + 128 * 10 + 10;
  const Json one = memory("mlp:784-128-10 --batch 32 --device pjrt:tpu:v5e:2x2");
  expect_state_donated(one, kParameters);
  const Json all = memory("mlp:784-128-10 --batch 32 --device pjrt:tpu:v5e:2x2:all");
  expect_state_donated(all, kParameters);
  EXPECT_EQ(one.at("arguments_unpadded").integer() - all.at("arguments_unpadded").integer(),
            24 * (784 * 4 + 4 + 8))
      << "a chip of four has 8 of 32 samples";
}

TEST_F(TpuCompiler, TakesAConvolutionalNet) {
  expect_state_donated(memory("cnn --batch 32 --device pjrt:tpu:v5e:2x2"), 2122186);
}

TEST_F(TpuCompiler, IsNoTpu) {
  const Outcome alone = temper("bench mlp:4-2 --device tpu --duration 0.05");
  if (alone.code == 0) GTEST_SKIP() << "skipped, because this machine has a TPU";
  EXPECT_EQ(alone.code, 4);
  EXPECT_THAT(alone.errors, HasSubstr("this machine has no TPU"));
  const Outcome next = temper("bench mlp:4-2 --device tpu,cpu --duration 0.05 --json");
  EXPECT_EQ(next.code, 0) << next.errors;
  EXPECT_EQ(Json::parse(next.output).at("device").text(), "cpu");
  EXPECT_THAT(next.errors, HasSubstr("`tpu` does not answer, `cpu` is next: "));
}

TEST_F(TpuCompiler, DoesNothingElse) {
  const Outcome unknown = temper("inspect mlp:4-2 --plan --device pjrt:tpu:v99:2x2");
  EXPECT_EQ(unknown.code, 4);
  EXPECT_THAT(unknown.errors, HasSubstr("could not describe that topology"));
  const Outcome bench = temper("bench mlp:4-2 --device pjrt:tpu:v5e:2x2 --duration 0.05");
  EXPECT_EQ(bench.code, 1);
  EXPECT_THAT(bench.errors, HasSubstr("is a topology, there is no hardware behind it"));
}

}  // namespace
}  // namespace temper
