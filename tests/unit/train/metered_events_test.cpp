#include "train/metered_events.h"

#include <gtest/gtest.h>

#include "run.h"

namespace temper {
namespace {

class Metered : public testing::Test {
 protected:
  void count(int64_t microjoules) {
    folder_.write("class/powercap/intel-rapl:0/name", "package-0\n");
    folder_.write("class/powercap/intel-rapl:0/energy_uj", std::to_string(microjoules) + "\n");
  }
  TemporaryFolder folder_;
  KeptEvents kept_;
};

TEST_F(Metered, GivesEachEpochWhatWasTakenSinceTheLast) {
  count(1000000);
  MeteredEvents events(kept_, folder_.path().string());
  EXPECT_EQ(events.joules_per_epoch(), std::nullopt);
  count(3000000);
  events.epoch({.epoch = 1});
  count(9000000);
  events.epoch({.epoch = 2});
  ASSERT_EQ(kept_.epochs.size(), 2);
  EXPECT_EQ(kept_.epochs[1].epoch, 2);
  EXPECT_DOUBLE_EQ(kept_.epochs[0].joules.value(), 2);
  EXPECT_DOUBLE_EQ(kept_.epochs[1].joules.value(), 6);
  EXPECT_DOUBLE_EQ(events.joules_per_epoch().value(), 4);
}

TEST_F(Metered, GivesNoNumberWithoutACounter) {
  MeteredEvents events(kept_, folder_.path().string());
  events.epoch({.epoch = 1});
  events.note("a note");
  events.warning("a warning");
  EXPECT_EQ(kept_.epochs[0].joules, std::nullopt);
  EXPECT_EQ(events.joules_per_epoch(), std::nullopt);
  EXPECT_NE(events.meter().why(), "");
  EXPECT_EQ(kept_.notes, std::vector<std::string>{"a note"});
  EXPECT_EQ(kept_.warnings, std::vector<std::string>{"a warning"});
}

}  // namespace
}  // namespace temper
