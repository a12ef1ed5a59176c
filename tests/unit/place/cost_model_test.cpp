#include "place/cost_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "place/nonnegative.h"

namespace temper {
namespace {

Work product(double m, double n, double k) {
  const double bytes = 4 * (m * k + k * n + m * n);
  return {.kind = "dot",
          .flops = 2 * m * n * k,
          .traffic = {{bytes, bytes}},
          .place = {std::log2(m), std::log2(n), std::log2(k), 0, 0, 0, 0, 0}};
}

Work map(double bytes, double distance = 0) {
  return {.kind = "map", .traffic = {{bytes, std::max(bytes, distance)}}, .place = {std::log2(bytes)}};
}

// A device of 100 GFLOP/s that needs 3 us for a launch; 0.01 ns for a byte up to 1 MB, 0.1 ns from 16 MB on.
double truth(const Work& work) {
  double seconds = 3e-6 + work.flops * 1e-11;
  for (const Traffic& traffic : work.traffic)
    seconds += traffic.bytes * (traffic.distance <= 1 << 20 ? 1e-11 : 1e-10);
  return seconds;
}

Calibration calibrated(double (*seconds)(const Work&) = truth) {
  Calibration calibration;
  calibration.byte_seconds = {{1 << 20, 1e-11}, {1 << 24, 1e-10}};
  for (const double m : {1.0, 16.0, 256.0})
    for (const double k : {64.0, 512.0})
      calibration.observations.push_back({{product(m, 128, k)}, seconds(product(m, 128, k))});
  for (const double bytes : {1e4, 1e5, 1e6, 3e7})
    calibration.observations.push_back({{map(bytes)}, seconds(map(bytes))});
  return calibration;
}

TEST(LeastSquares, KeepsToWhatIsNotNegative) {
  // 2 a + 3 b, exactly.
  const std::vector<double> exact = least_squares({{1, 0}, {0, 1}, {1, 1}}, {2, 3, 5}, 0);
  EXPECT_NEAR(exact[0], 2, 1e-6);
  EXPECT_NEAR(exact[1], 3, 1e-6);
  // The best a would be -1: it is 0, and b makes up for it.
  const std::vector<double> held = least_squares({{1, 1}, {0, 1}}, {1, 2}, 0);
  EXPECT_EQ(held[0], 0);
  EXPECT_NEAR(held[1], 1.5, 1e-6);
  EXPECT_EQ(least_squares({{0, 1}}, {1}, 0)[0], 0) << "a column of zeros";
}

TEST(CostModel, FindsTheLawOfADevice) {
  const CostModel model(calibrated());
  for (const Work& work : {product(64, 256, 300), product(2, 1024, 128), map(4e5), map(1e8)})
    EXPECT_NEAR(model.seconds(work) / truth(work), 1, 0.05) << work.kind << " " << work.place[0];
  const std::vector<Work> both = {product(64, 256, 300), map(4e5)};
  EXPECT_DOUBLE_EQ(model.seconds(both), model.seconds(both[0]) + model.seconds(both[1]));
  for (const double ratio : model.ratios()) EXPECT_NEAR(ratio, 1, 0.05);
}

TEST(CostModel, CountsRounds) {
  const CostModel model(calibrated());
  Work work = map(1e5);
  const double once = model.seconds(work);
  work.rounds = 7;
  EXPECT_DOUBLE_EQ(model.seconds(work), 7 * once);
}

// What was touched long ago comes from memory, what was touched just now from a cache.
TEST(CostModel, KnowsCaches) {
  const CostModel model(calibrated());
  EXPECT_GT(model.seconds(map(1e6, 1e8)), 3 * model.seconds(map(1e6, 1e6)));
  const double middle = model.seconds(map(1e6, 1 << 22));
  EXPECT_GT(middle, model.seconds(map(1e6, 1 << 20)));
  EXPECT_LT(middle, model.seconds(map(1e6, 1 << 24)));
}

// Small products are twice as slow as the rest would have it: those like them are expected to be, others not.
double slow_when_small(const Work& work) {
  return truth(work) * (work.kind == "dot" && work.place[0] < 2 && work.place[2] < 7 ? 2 : 1);
}
TEST(CostModel, CarriesOverToWhatIsAlike) {
  const CostModel model(calibrated(slow_when_small));
  EXPECT_NEAR(model.seconds(product(1, 128, 64)) / slow_when_small(product(1, 128, 64)), 1, 0.2);
  EXPECT_NEAR(model.seconds(product(256, 128, 512)) / truth(product(256, 128, 512)), 1, 0.15);
}

TEST(CostModel, SplitsWhatRanTogether) {
  Calibration calibration = calibrated();
  std::erase_if(calibration.observations,
                [](const Observation& seen) { return seen.works[0].kind == "map"; });
  for (const double bytes : {1e4, 1e5, 1e6, 3e7}) {
    const Work first = product(16, 128, 64), then = map(bytes);
    calibration.observations.push_back({{first, then}, truth(first) + truth(then)});
  }
  EXPECT_NEAR(CostModel(calibration).seconds(map(6e7)) / truth(map(6e7)), 1, 0.1);
}

TEST(CostModel, TakesAnUnknownKindForItsLike) {
  const CostModel model(calibrated());
  Work pool = map(1e6), gradient = product(64, 64, 64);
  pool.kind = "max_pool", gradient.kind = "weight_grad_grouped";
  EXPECT_GT(model.seconds(pool), 0);
  EXPECT_NEAR(model.seconds(gradient) / truth(product(64, 64, 64)), 1, 0.1) << "there is nothing but dot";
  EXPECT_EQ(CostModel({}).seconds(pool), 0);
}

}  // namespace
}  // namespace temper
