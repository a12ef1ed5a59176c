// Plug-ins that fail in the middle of work: what is said, and what is left.
#include "pjrt_program.h"

namespace temper {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class PjrtFault : public PjrtProgram {
 protected:
  // On the plug-in that fails as `failure` says.
  Outcome failing(const std::string& failure, const std::string& words) const {
    return temper(concat(words, " --device pjrt:", TEMPER_FAILING_PLUGIN),
                  concat("TEMPER_COUNTED_PLUGIN=", pjrt_cpu_plugin().string(), " TEMPER_FAILURE=", failure));
  }
  static Json error(const Outcome& outcome) {
    return Json::parse(outcome.output.empty() ? "{}" : outcome.output).at("error");
  }
};

TEST_F(PjrtFault, ARefusalToCompileIsAnError) {
  const Outcome outcome = failing("refuse", "bench mlp:20-10-5 --duration 0.05 --json");
  EXPECT_EQ(outcome.code, 4);
  EXPECT_EQ(error(outcome).at("kind").text(), "device");
  EXPECT_THAT(error(outcome).at("message").text(),
              AllOf(HasSubstr(TEMPER_FAILING_PLUGIN),
                    HasSubstr("could not compile a program: this program is too hard")));
  const Outcome apart = failing("refuse", "bench mlp:20-10-5 --duration 0.05 --json --isolate");
  EXPECT_EQ(apart.code, 4);
  EXPECT_EQ(error(apart).at("message").text(), error(outcome).at("message").text());
}

TEST_F(PjrtFault, AnAbortInAProcessApartIsAnError) {
  const Outcome outcome = failing("abort", "bench mlp:20-10-5 --train --duration 0.05 --json --isolate");
  EXPECT_EQ(outcome.code, 4) << outcome.errors;
  EXPECT_EQ(error(outcome).at("kind").text(), "device");
  EXPECT_EQ(error(outcome).at("file").text(), TEMPER_FAILING_PLUGIN);
  EXPECT_THAT(error(outcome).at("message").text(),
              AllOf(HasSubstr("was ended by signal 6"), HasSubstr("while it compiled a program")));
  EXPECT_NE(failing("abort", "bench mlp:20-10-5 --train --duration 0.05").code, 4)
      << "without it all is lost";
}

TEST_F(PjrtFault, AProcessApartCompilesTheSame) {
  const std::string words = "bench mlp:20-10-5 --train --iterations 3 --device pjrt:cpu";
  const Json here = json(words), apart = json(words + " --isolate --seed 0");
  EXPECT_EQ(here.at("loss_last").number(), apart.at("loss_last").number());
}

// 57 steps and 7 batches of validation an epoch: it is lost in the second. The first one's checkpoint is
// kept, and another device goes on from it.
TEST_F(PjrtFault, ALostDeviceKeepsTheCheckpoint) {
  const std::string tune = concat("tune mlp:784-32-10 --preprocess gray,unit --val-split 0.1 --data ",
                                  shipped_data("mnist").string(), " --epochs 4 --json --out ", in("run"));
  const Outcome lost = failing("lost:100", tune);
  EXPECT_EQ(lost.code, 4) << lost.output << lost.errors;
  EXPECT_THAT(error(lost).at("message").text(), HasSubstr("could not run a program: the device is gone"));
  ASSERT_TRUE(std::filesystem::exists(in("run/last.ckpt")));
  const Outcome resumed = temper(tune + " --resume --device cpu");
  ASSERT_EQ(resumed.code, 0) << resumed.errors;
  const Json result = Json::parse(resumed.output);
  EXPECT_EQ(result.at("status").text(), "completed");
  EXPECT_EQ(result.at("device").text(), "cpu");
  EXPECT_EQ(result.at("epochs").integer(), 4);
  EXPECT_GT(result.at("resumed_from_step").integer(), 0);
}

}  // namespace
}  // namespace temper
