#include "nn/schedules.h"

#include "golden.h"
#include "temper/error.h"

namespace temper::nn {
namespace {

std::vector<double> rates(const Schedule& schedule, int64_t steps) {
  std::vector<double> found;
  for (int64_t step = 0; step < steps; ++step) found.push_back(learning_rate(schedule, step, 0));
  return found;
}

TEST(Schedules, ArePyTorchs) {
  expect_golden("step", rates({.kind = Schedule::step, .lr = 0.4, .epochs = 3, .factor = 0.5}, 10), 1e-12);
  expect_golden("cosine", rates({.kind = Schedule::cosine, .lr = 0.4, .total_steps = 8}, 9), 1e-12);
  // LinearLR starts at a fraction of the rate and reaches it after 3 steps: here that is warm-up over 4.
  expect_golden("warmup", rates({.lr = 0.4, .warmup = 4}, 6), 1e-12);
}

TEST(Schedules, PlateauIsPyTorchs) {
  const Schedule schedule{.kind = Schedule::plateau, .lr = 0.4, .epochs = 2};
  Plateau plateau;
  std::vector<double> found;
  for (double value : {1.0, 0.9, 0.95, 0.9, 0.91, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8}) {
    found.push_back(learning_rate(schedule, 0, plateau.drops));
    plateau.observe(schedule, value);
  }
  expect_golden("plateau", found, 1e-12);
}

TEST(Schedules, CosineBeginsAfterTheWarmUp) {
  const Schedule schedule{.kind = Schedule::cosine, .lr = 1, .warmup = 2, .total_steps = 6};
  const std::vector<double> found = rates(schedule, 7);
  EXPECT_EQ(found[0], 0.5);
  EXPECT_EQ(found[1], 1);
  EXPECT_EQ(found[2], 1);
  EXPECT_NEAR(found[4], 0.5, 1e-12);
  EXPECT_NEAR(found[6], 0, 1e-12);
}

TEST(Schedules, AreReadFromText) {
  EXPECT_EQ(parse_schedule("step", 9).epochs, 3);
  EXPECT_EQ(parse_schedule("step:4:0.2", 9).factor, 0.2);
  EXPECT_EQ(parse_schedule("plateau:7", 9).epochs, 7);
  for (const char* wrong : {"linear", "step:0", "step:2:1", "cosine:3", "plateau:2:0.1:5", ""})
    EXPECT_THROW(parse_schedule(wrong, 9), Error) << wrong;
}

}  // namespace
}  // namespace temper::nn
