// The commands that measure and choose devices, on a machine where only the processor is.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "base/text.h"
#include "support/data.h"
#include "support/program.h"
#include "support/temporary_folder.h"

namespace temper {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

std::vector<std::string> keys(const Json& json) {
  std::vector<std::string> names;
  for (const auto& [name, value] : json.members()) names.push_back(name);
  return names;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

class PlaceProgram : public testing::Test {
 protected:
  std::string in(const std::string& name) const { return (folder_.path() / name).string(); }
  Outcome temper(const std::string& words) const {
    return run_shell(
        concat("TEMPER_CACHE=", in("cache"), " XDG_CONFIG_HOME=", in("config"),
               " TEMPER_OPENCL_LIBRARY=/nowhere/cl.so TEMPER_PJRT_PATH=/nowhere VIRTUAL_ENV= PATH=/bin ",
               TEMPER_PROGRAM, " ", words),
        in("stderr.txt"));
  }
  Json json(const std::string& words) const {
    const Outcome outcome = temper(words + " --json");
    EXPECT_EQ(outcome.code, 0) << words << "\n" << outcome.errors;
    return Json::parse(outcome.output.empty() ? "{}" : outcome.output);
  }
  fs::path only_file(const std::string& part) const {
    return fs::directory_iterator(folder_.path() / "cache" / part)->path();
  }
  static const Json& candidate(const Json& advice, std::string_view device) {
    for (const Json& entry : advice.at("candidates").items())
      if (entry.at("device").text() == device) return entry;
    ADD_FAILURE() << "no candidate " << device;
    return advice;
  }

  TemporaryFolder folder_;
};

TEST_F(PlaceProgram, PeaksAreKeptUntilRefreshed) {
  const Json first = json("devices").at("devices").items()[0];
  EXPECT_THAT(keys(first.at("peaks")),
              testing::ElementsAre("f32_gflops", "bf16_gflops", "gbytes_per_second",
                                   "upload_gbytes_per_second", "launch_microseconds"));
  EXPECT_GT(first.at("peaks").at("upload_gbytes_per_second").number(), 0);
  EXPECT_GT(first.at("peaks").at("launch_microseconds").number(), 0);
  const std::string kept = text_of(only_file("peaks"));
  EXPECT_EQ(json("devices").at("devices").items()[0].at("peaks").dump(), first.at("peaks").dump())
      << "not measured again";
  EXPECT_EQ(text_of(only_file("peaks")), kept);
  std::ofstream(only_file("peaks")) << "damaged";
  const Outcome again = temper("devices");
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.errors, HasSubstr("is damaged"));
  EXPECT_THAT(again.output, HasSubstr("us a launch"));
  const std::string measured = text_of(only_file("peaks"));
  EXPECT_THAT(measured, HasSubstr("launch_seconds"));
  EXPECT_EQ(temper("devices --refresh").code, 0);
  EXPECT_NE(text_of(only_file("peaks")), measured) << "measured to the last digit the same";
}

TEST_F(PlaceProgram, AbsentDevicesSayWhy) {
  const Json devices = json("devices");
  for (const Json& device : devices.at("devices").items())
    if (!device.at("present").boolean()) {
      EXPECT_FALSE(device.at("why").text().empty());
      EXPECT_TRUE(device.at("peaks").at("launch_microseconds").is_null());
    }
}

TEST_F(PlaceProgram, AdviceMeasures) {
  const Json advice = json("advise mlp:20-16-4 --train --batch 8");
  EXPECT_THAT(keys(advice), IsSupersetOf({"command", "version", "schema", "choice", "evidence", "goal",
                                          "batch", "train", "prices", "candidates"}));
  EXPECT_EQ(advice.at("choice").text(), "cpu");
  EXPECT_THAT(advice.at("evidence").text(), HasSubstr("cpu ("));
  for (const Json& entry : advice.at("candidates").items())
    EXPECT_THAT(keys(entry), IsSupersetOf({"device", "ms_per_step", "samples_per_second", "joules_per_sample",
                                           "money_per_million", "memory_bytes", "measured", "fits"}));
  const Json& cpu = candidate(advice, "cpu");
  EXPECT_TRUE(cpu.at("measured").boolean());
  EXPECT_TRUE(cpu.at("fits").boolean());
  EXPECT_NEAR(cpu.at("samples_per_second").number(), 8e3 / cpu.at("ms_per_step").number(), 1e-3);
  EXPECT_NEAR(cpu.at("money_per_million").number(), 0.1 / 3600 * 1e6 / cpu.at("samples_per_second").number(),
              1e-9);
  EXPECT_TRUE(cpu.at("joules_per_sample").is_number() || cpu.at("energy_why").is_string());
  const Json& opencl = candidate(advice, "opencl");
  EXPECT_TRUE(opencl.at("ms_per_step").is_null());
  EXPECT_THAT(opencl.at("why").text(), HasSubstr("/nowhere/cl.so"));
  const Json& h100 = candidate(advice, "h100");
  EXPECT_FALSE(h100.at("measured").boolean());
  EXPECT_EQ(h100.at("source").text(), "estimated");
  EXPECT_THAT(h100.at("energy_source").text(), HasSubstr("700 W"));
  EXPECT_THAT(candidate(advice, "tpu-v5e").at("energy_why").text(), HasSubstr("not published"));
  EXPECT_THAT(candidate(advice, "edge-tpu").at("why").text(), HasSubstr("cannot train"));
  // The choice by time is remembered.
  EXPECT_THAT(text_of(only_file("choices")),
              AllOf(HasSubstr("mlp:20-16-4"), HasSubstr("\"device\":\"cpu\"")));
}

TEST_F(PlaceProgram, AdvicePredicts) {
  const Json first = json("advise mlp:20-16-4 --no-measure --batch 8");
  const Json& cpu = candidate(first, "cpu");
  EXPECT_FALSE(cpu.at("measured").boolean());
  EXPECT_EQ(cpu.at("source").text(), "predicted");
  EXPECT_GT(cpu.at("ms_per_step").number(), 0);
  EXPECT_EQ(first.at("choice").text(), "cpu");
  EXPECT_FALSE(fs::exists(in("cache/choices")) && !fs::is_empty(in("cache/choices")))
      << "only what was measured is remembered";
  const Json again = json("advise mlp:20-16-4 --no-measure --batch 8");
  EXPECT_EQ(candidate(again, "cpu").at("ms_per_step").number(), cpu.at("ms_per_step").number())
      << "from the same calibration";
}

TEST_F(PlaceProgram, AdviceCountsTheDataAndGoesByTheGoal) {
  const std::string model = "advise mlp:784-16-10 --batch 8 --data " + shipped_data("mnist").string();
  const Outcome outcome = temper(model + " --goal money");
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("is the best by money"), HasSubstr("once through"),
                                    HasSubstr("prices in USD per hour of 2025-06"), HasSubstr("estimated")));
  const Json advice = json(model + " --goal memory");
  EXPECT_GT(advice.at("samples").integer(), 0);
  EXPECT_GT(advice.at("pass_seconds").number(), 0);
}

TEST_F(PlaceProgram, MemoryThatDoesNotSuffice) {
  const Json advice = json("advise mlp:784-512-10 --memory 100000");
  EXPECT_FALSE(candidate(advice, "cpu").at("fits").boolean());
  EXPECT_TRUE(advice.at("choice").is_null());
  EXPECT_THAT(advice.at("evidence").text(), HasSubstr("no device that is here"));
}

TEST_F(PlaceProgram, PricesAreEditable) {
  const std::string file = folder_.write("p.toml", "unit = \"EUR per hour\"\n[prices]\ncpu = 36\n");
  const Json advice = json("advise mlp:20-16-4 --prices " + file);
  EXPECT_EQ(advice.find("prices.unit")->text(), "EUR per hour");
  const Json& cpu = candidate(advice, "cpu");
  EXPECT_NEAR(cpu.at("money_per_million").number(), 1e4 / cpu.at("samples_per_second").number(), 1e-6);
}

TEST_F(PlaceProgram, MistakesAreTold) {
  for (const auto& [words, part] :
       {std::pair<std::string, const char*>{"--goal mony", "did you mean money?"},
        {"--goal \"\"", "goal: expected time, energy, money or memory"},
        {"--batch 0", "--batch: expected at least 1"},
        {"--device opencl", "advise looks at all of them"},
        {"--prices " + folder_.write("p.toml", "[prices]\ncpu = -1\n"),
         "line 2: prices.cpu: expected a number from 0"},
        {"--prices " + folder_.write("q.toml", "cpu = 1\n"), "unknown key \"cpu\""}}) {
    const Outcome outcome = temper("advise mlp:20-16-4 --quiet " + words);
    EXPECT_EQ(outcome.code, 2) << words;
    EXPECT_THAT(outcome.errors, HasSubstr(part));
    EXPECT_EQ(outcome.output, "");
  }
  EXPECT_EQ(temper("advise mlp:20-16-4 --prices /nowhere.toml").code, 1);
  EXPECT_THAT(temper("advice mlp:20-16-4").errors, HasSubstr("did you mean advise?"));
  EXPECT_THAT(temper("help advise").output,
              AllOf(HasSubstr("--goal"), HasSubstr("--no-measure"), HasSubstr("--prices")));
}

// What was once the fastest for a model is taken by others without measuring; if it is gone, the processor.
TEST_F(PlaceProgram, ARememberedDeviceThatIsGone) {
  ASSERT_EQ(temper("advise mlp:20-16-4").code, 0);
  const fs::path file = only_file("choices");
  std::string kept = text_of(file);
  kept.replace(kept.find("\"device\":\"cpu\""), 14, "\"device\":\"opencl\"");
  std::ofstream(file) << kept;
  const Outcome outcome = temper("bench mlp:20-16-4 --duration 0.05 --no-peaks --json");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(Json::parse(outcome.output).at("device").text(), "cpu");
  EXPECT_THAT(outcome.errors,
              AllOf(HasSubstr("auto: opencl, as measured before"), HasSubstr("`cpu` is next")));
  const Outcome named = temper("bench mlp:20-16-4 --duration 0.05 --no-peaks --json --device cpu");
  EXPECT_THAT(named.errors, Not(HasSubstr("auto")));
}

}  // namespace
}  // namespace temper
