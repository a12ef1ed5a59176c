#pragma once
// The program on devices other than the processor, in a folder of the test's own. TEMPER_PROGRAM is its file.
#include <gmock/gmock.h>

#include <fstream>

#include "base/json.h"
#include "base/text.h"
#include "support/data.h"
#include "support/opencl.h"
#include "support/pjrt.h"
#include "support/program.h"
#include "support/temporary_folder.h"

namespace temper {

class DeviceProgram : public testing::Test {
 protected:
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
  static constexpr const char* kPhotos = " --preprocess short:256,crop:224,mean:127.5,std:127.5 ";
  static std::string dress() { return shipped_data("clothing10/test/dress/02.jpg").string(); }

  // The same from `there` as from `here`, but for rounding.
  static void expect_same_training(const Json& here, const Json& there,
                                   std::initializer_list<const char*> losses) {
    for (const char* key : losses)
      EXPECT_NEAR(there.find(key)->number(), here.find(key)->number(), 1e-3) << key;
    EXPECT_NEAR(there.find("test.accuracy")->number(), here.find("test.accuracy")->number(), 0.005);
  }
  void expect_predicts_as_the_processor(const std::string& device) const {
    const std::string words = concat("predict ", mobilenet(), " ", dress(), kPhotos, "--top 1 --device ");
    const Json here = json(words + "cpu").at("top").items()[0],
               there = json(words + device).at("top").items()[0];
    EXPECT_EQ(here.at("index").number(), there.at("index").number());
    EXPECT_NEAR(here.at("score").number(), there.at("score").number(), 1e-4);
  }
  // What the loader opens, by its own account.
  std::string opened_by(const std::string& words) const {
    const Outcome outcome = temper(words, concat("LD_DEBUG=files LD_DEBUG_OUTPUT=", in("loader")));
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    std::string text;
    for (const auto& file : std::filesystem::directory_iterator(folder_.path())) {
      if (!file.path().filename().string().starts_with("loader")) continue;
      std::ifstream stream(file.path());
      text.append(std::istreambuf_iterator<char>(stream), {});
      std::filesystem::remove(file.path());
    }
    EXPECT_THAT(text, testing::HasSubstr("libc.so"));
    return text;
  }

  TemporaryFolder folder_;
};

}  // namespace temper
