#include "place/race.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "support/temporary_folder.h"
#include "temper/error.h"

namespace temper {
namespace {

using testing::HasSubstr;

// Devices whose programs take what they are said to, by a clock that nothing else moves.
class Track {
 public:
  Entrant entrant(std::string name, double seconds, double compile = 0) {
    return {std::move(name), [this, seconds, compile]() -> std::vector<Lap> {
              time_ += compile;
              return {{[this, seconds] { time_ += seconds, ++runs_; }}};
            }};
  }
  RaceResult race(const std::vector<Entrant>& entrants, double budget) {
    return temper::race(entrants, [budget](double) { return budget; }, [this] { return time_; });
  }
  int64_t runs() const { return runs_; }
  double now() const { return time_; }
  void pass(double seconds) { time_ += seconds; }

 private:
  double time_ = 100;
  int64_t runs_ = 0;
};

TEST(Race, TheFasterWins) {
  Track track;
  const RaceResult result = track.race({track.entrant("slow", 0.5), track.entrant("fast", 0.1)}, 10);
  EXPECT_EQ(result.winner, 1);
  EXPECT_NEAR(*result.results[0].seconds, 0.5, 1e-9);
  EXPECT_NEAR(*result.results[1].seconds, 0.1, 1e-9);
  EXPECT_EQ(to_string(result), "slow 500 ms, fast 100 ms");
}

TEST(Race, ALaterOneMustBeClearlyFaster) {
  Track track;
  EXPECT_EQ(track.race({track.entrant("first", 0.1), track.entrant("second", 0.098)}, 10).winner, 0);
  EXPECT_EQ(track.race({track.entrant("first", 0.1), track.entrant("second", 0.09)}, 10).winner, 1);
}

// Counted in runs: half of the budget each, and never more than ten and one to warm up.
TEST(Race, KeepsToTheBudget) {
  Track track;
  const RaceResult shared = track.race({track.entrant("a", 1), track.entrant("b", 1)}, 12);
  EXPECT_EQ(shared.results[0].rounds, 6);
  EXPECT_EQ(shared.results[1].rounds, 6);
  EXPECT_NEAR(shared.seconds, 12, 1e-9);
  Track quick;
  const RaceResult many = quick.race({quick.entrant("a", 0.001), quick.entrant("b", 0.001)}, 10);
  EXPECT_EQ(quick.runs(), 22);
  EXPECT_EQ(many.results[0].rounds, 11);
}

TEST(Race, WhoComesTooLateDoesNotStart) {
  Track track;
  const RaceResult result =
      track.race({track.entrant("a", 1, 20), track.entrant("b", 0.1), track.entrant("c", 0.1)}, 5);
  EXPECT_EQ(result.winner, 0) << "the first always runs";
  EXPECT_EQ(track.runs(), 2) << "once to warm up, once by the clock";
  EXPECT_THAT(result.results[1].why, HasSubstr("was used up"));
  EXPECT_FALSE(result.results[2].seconds);
}

// By what a step really takes, not by what was guessed.
TEST(Race, TheBudgetGoesByTheFirst) {
  Track track;
  const RaceResult result = race(
      {track.entrant("a", 0.5), track.entrant("b", 0.1)}, [](double step) { return race_budget(step * 10); },
      [&] { return track.now(); });
  EXPECT_EQ(result.winner, 0) << "half a second for choosing, and the first took one";
  EXPECT_TRUE(result.results[1].skipped);
  EXPECT_EQ(track.runs(), 2);
}

TEST(Race, WhoMayCompileTooLongDoesNotStart) {
  Track track;
  const std::vector<Entrant> entrants{track.entrant("a", 0.1, 0.5), track.entrant("b", 0.01, 4)};
  const RaceResult brief = track.race(entrants, 5);
  EXPECT_EQ(brief.winner, 0);
  EXPECT_TRUE(brief.results[1].skipped);
  EXPECT_THAT(brief.results[1].why, HasSubstr("too short to compile"));
  EXPECT_LT(brief.seconds, 5);
  const RaceResult longer = track.race(entrants, 10);
  EXPECT_EQ(longer.winner, 1);
  EXPECT_FALSE(longer.results[1].skipped);
}

TEST(Race, WhoCannotRunIsLeftOut) {
  Track track;
  const auto refuses = [](const char* what) {
    return Entrant{"broken", [what]() -> std::vector<Lap> { throw Error(ErrorKind::unsupported, what); }};
  };
  const Entrant breaks{"breaks", []() -> std::vector<Lap> {
                         return {{[] { throw Error(ErrorKind::device, "it fell off"); }}};
                       }};
  const RaceResult result = track.race({refuses("no kernel for i4"), breaks, track.entrant("sound", 1)}, 10);
  EXPECT_EQ(result.winner, 2);
  EXPECT_EQ(to_string(result), "broken: no kernel for i4, breaks: it fell off, sound 1000 ms");
  EXPECT_EQ(track.race({refuses("no")}, 10).winner, -1);
}

TEST(Race, CountsPartsAsOftenAsTheJobNeedsThem) {
  Track track;
  const Entrant parts{"parts", [&]() -> std::vector<Lap> {
                        return {{[&] { track.pass(1); }}, {[&] { track.pass(10); }, 0.1}};
                      }};
  EXPECT_NEAR(*track.race({parts}, 1).results[0].seconds, 2, 1e-9);
}

TEST(Race, BudgetIsATenthOfTheJob) {
  EXPECT_DOUBLE_EQ(race_budget(30), 3);
  EXPECT_DOUBLE_EQ(race_budget(1e6), 10);
}

class RememberedTest : public testing::Test {
 protected:
  void SetUp() override { setenv("TEMPER_CACHE", folder_.path().c_str(), 1); }
  void TearDown() override { unsetenv("TEMPER_CACHE"); }
  std::filesystem::path file() const {
    return std::filesystem::directory_iterator(folder_.path() / "choices")->path();
  }

  TemporaryFolder folder_;
};

TEST_F(RememberedTest, ByModelAndPurpose) {
  EXPECT_FALSE(remembered_device("resnet18", true));
  remember_device("resnet18", true, {"opencl", 0.02, "it was faster"});
  const std::optional<Remembered> known = remembered_device("resnet18", true);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->device, "opencl");
  EXPECT_EQ(known->step_seconds, 0.02);
  EXPECT_EQ(known->evidence, "it was faster");
  EXPECT_FALSE(remembered_device("resnet18", false));
  EXPECT_FALSE(remembered_device("resnet34", true));
}

TEST_F(RememberedTest, AFileThatChangedIsAnother) {
  const std::string model = folder_.write("model.onnx", "one");
  remember_device(model, true, {"opencl", 0.02, "it was faster"});
  EXPECT_TRUE(remembered_device(model, true));
  folder_.write("model.onnx", "another");
  EXPECT_FALSE(remembered_device(model, true));
}

TEST_F(RememberedTest, DamagedIsSaidAndForgotten) {
  for (const char* damaged : {"", "{}", "{\"key\":3}", "\x01\x02", "null"}) {
    remember_device("cnn", true, {"opencl", 0.02, "it was faster"});
    std::ofstream(file()) << damaged;
    testing::internal::CaptureStderr();
    EXPECT_FALSE(remembered_device("cnn", true)) << damaged;
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("is damaged"));
  }
  remember_device("cnn", true, {"", 0.02, ""});
  testing::internal::CaptureStderr();
  EXPECT_FALSE(remembered_device("cnn", true));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("`device`"));
}

}  // namespace
}  // namespace temper
