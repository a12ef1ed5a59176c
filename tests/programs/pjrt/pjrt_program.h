#pragma once
// The program on a PJRT plug-in, in a folder of the test's own.
#include <gmock/gmock.h>

#include "base/json.h"
#include "base/text.h"
#include "support/data.h"
#include "support/pjrt.h"
#include "support/program.h"
#include "support/temporary_folder.h"

namespace temper {

class PjrtProgram : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(pjrt_cpu_plugin()))
      GTEST_SKIP() << "skipped, because there is no PJRT plug-in for this processor: ./run install test";
  }

  std::string in(const std::string& name) const { return (folder_.path() / name).string(); }
  Outcome temper(const std::string& words, const std::string& variables = "") const {
    return run_shell(concat("TEMPER_CACHE=", in("cache"), " TEMPER_PJRT_PATH=", pjrt_cpu_plugin().string(),
                            " ", variables, " ", TEMPER_PROGRAM, " ", words),
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

}  // namespace temper
