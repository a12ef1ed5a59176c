// `--device auto`, with a clock of the test's own.
#include "train/auto_device.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "devices/cpu/cpu.h"
#include "place/race.h"
#include "run.h"
#include "runtime/registry.h"
#include "train/setup.h"

namespace temper {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A tenth of a second passes whenever it is looked at, so that whatever lies between two looks takes that; on
// the swift device a tenth of it.
double the_time = 0;
int64_t swift_runs = 0;
bool swift_on_host = false;

class SwiftExecutable : public Executable {
 public:
  explicit SwiftExecutable(std::unique_ptr<Executable> real) : real_(std::move(real)) {}
  const Program& program() const override { return real_->program(); }
  std::unique_ptr<Context> make_context(std::shared_ptr<Arena> arena) const override {
    return real_->make_context(std::move(arena));
  }
  void run(Context& context, std::span<Tensor> arguments, std::span<Tensor> results) const override {
    real_->run(context, arguments, results);
    the_time -= 0.09;
    ++swift_runs;
  }

 private:
  std::unique_ptr<Executable> real_;
};

class SwiftDevice : public Device {
 public:
  std::string_view name() const override { return "swift"; }
  const Target& target() const override { return cpu::cpu_target(); }
  DeviceFacts facts() override {
    DeviceFacts facts = test_device().facts();
    facts.on_host = swift_on_host;
    return facts;
  }
  Tensor allocate(const Type& type, int64_t layout) override { return test_device().allocate(type, layout); }
  void copy(const Tensor& from, Tensor& to) override { test_device().copy(from, to); }
  std::unique_ptr<Executable> load(std::shared_ptr<const Program> program) override {
    return std::make_unique<SwiftExecutable>(test_device().load(std::move(program)));
  }
};

class AutoDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TEMPER_CACHE", (folder_.path() / "cache").c_str(), 1);
    unsetenv("TEMPER_DEVICE");
    test_device();
    register_device(
        {"swift", [](std::string_view) -> std::unique_ptr<Device> { return std::make_unique<SwiftDevice>(); },
         &cpu::cpu_target()});
    register_device({"idle",
                     [](std::string_view) -> std::unique_ptr<Device> {
                       ADD_FAILURE() << "nobody asked for it";
                       throw Error(ErrorKind::device, "it is not here");
                     },
                     &cpu::cpu_target(), nullptr, nullptr, false});
    the_time = 0, swift_runs = 0, swift_on_host = false;
  }
  void TearDown() override { unsetenv("TEMPER_CACHE"); }

  temper::Setup job_of(int64_t epochs) {
    Recipe recipe = small_recipe(folder_, write_quarters(folder_, 2000, 16), "run");
    recipe.device = "cpu";
    recipe.epochs = epochs;
    return prepare(recipe, events_);
  }
  std::string chosen(const temper::Setup& job) {
    events_.notes.clear();
    return std::string(auto_device(job, events_, [] { return the_time += 0.1; }).name());
  }

  static constexpr int64_t kLong = 1'000'000;  // epochs
  TemporaryFolder folder_;
  KeptEvents events_;
};

TEST_F(AutoDeviceTest, TakesTheFasterAndRemembersIt) {
  const temper::Setup job = job_of(kLong);
  EXPECT_EQ(chosen(job), "swift");
  EXPECT_THAT(events_.notes, ElementsAre(HasSubstr("auto: swift, a batch takes cpu 100 ms, swift 10 ms")));
  EXPECT_GE(swift_runs, 2);
  EXPECT_LE(swift_runs, 11);
  const int64_t before = swift_runs;
  EXPECT_EQ(chosen(job), "swift");
  EXPECT_EQ(swift_runs, before) << "nothing is measured again";
  EXPECT_THAT(events_.notes, ElementsAre(HasSubstr("as measured before")));
  EXPECT_EQ(known_device("auto", job.recipe.model), "swift,cpu");
  EXPECT_EQ(known_device("cpu", job.recipe.model), "cpu");
  EXPECT_EQ(known_device("", "another"), "cpu");
}

TEST_F(AutoDeviceTest, AShortJobLosesNothing) {
  EXPECT_EQ(chosen(job_of(1)), "cpu");
  EXPECT_EQ(swift_runs, 0);
  EXPECT_EQ(the_time, 0) << "no clock was read";
  EXPECT_THAT(events_.notes, IsEmpty());
  EXPECT_FALSE(remembered_device("mlp:64-16-4", true));
}

TEST_F(AutoDeviceTest, OtherWaysToTheProcessorAreForLongJobs) {
  swift_on_host = true;
  temper::Setup job = job_of(kLong);
  job.recipe.max_time = 50;
  EXPECT_EQ(chosen(job), "cpu");
  EXPECT_EQ(swift_runs, 0);
  EXPECT_EQ(the_time, 0) << "nobody to race against";
  job.recipe.max_time = 0;
  EXPECT_EQ(chosen(job), "swift");
}

TEST_F(AutoDeviceTest, ATimeLimitMakesAJobShort) {
  temper::Setup job = job_of(kLong);
  job.recipe.max_time = 3;
  EXPECT_EQ(chosen(job), "cpu");
  EXPECT_EQ(swift_runs, 0);
}

TEST_F(AutoDeviceTest, WhatWasRememberedMayBeGone) {
  remember_device("mlp:64-16-4", true, {"nowhere", 0.1, "it was"});
  EXPECT_EQ(chosen(job_of(1)), "cpu");
  EXPECT_THAT(events_.notes, ElementsAre(HasSubstr("nowhere was the fastest, but does not answer now")));
}

TEST_F(AutoDeviceTest, TheVariableNamesADevice) {
  EXPECT_TRUE(is_auto(""));
  EXPECT_TRUE(is_auto("auto"));
  EXPECT_FALSE(is_auto("cpu"));
  setenv("TEMPER_DEVICE", "swift", 1);
  EXPECT_FALSE(is_auto("auto"));
  remember_device("cnn", false, {"cpu", 0.1, "it was"});
  EXPECT_EQ(known_device("auto", "cnn"), "auto") << "as the variable says";
  unsetenv("TEMPER_DEVICE");
}

// A whole job says which device it used.
TEST_F(AutoDeviceTest, ReachesTheResult) {
  remember_device("mlp:64-16-4", true, {"swift", 0.1, "it was"});
  const TrainResult result = train(small_recipe(folder_, write_quarters(folder_, 64, 16), "run"), events_);
  EXPECT_EQ(result.device, "swift");
  EXPECT_GT(swift_runs, 0);
  EXPECT_THAT(bytes_of(folder_.path() / "run" / "recipe.toml"), HasSubstr("device = 'swift'"));
}

}  // namespace
}  // namespace temper
