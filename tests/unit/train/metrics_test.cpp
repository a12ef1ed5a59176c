#include "train/metrics.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace temper {
namespace {

TEST(Metrics, CountsClasses) {
  Metrics metrics(Metrics::Kind::classes, 3);
  metrics.add(std::array{0.7f, 0.2f, 0.1f}, 0, 0.5);
  metrics.add(std::array{0.6f, 0.3f, 0.1f}, 1, 1.5);
  metrics.add(std::array{0.4f, 0.4f, 0.2f}, 1, 1.0);  // a tie goes to class 0
  metrics.add(std::array{0.1f, 0.8f, 0.1f}, 1, 0.2);
  const Evaluation result = metrics.result({"a", "b"});
  EXPECT_EQ(result.samples, 4);
  EXPECT_DOUBLE_EQ(result.loss, 0.8);
  EXPECT_DOUBLE_EQ(result.accuracy, 0.5);
  EXPECT_DOUBLE_EQ(result.top5, 1);
  EXPECT_EQ(result.confusion, (std::vector<std::vector<int64_t>>{{1, 0, 0}, {2, 1, 0}, {0, 0, 0}}));
  EXPECT_EQ(result.classes[2].label, "2");
  EXPECT_DOUBLE_EQ(result.classes[0].precision, 1.0 / 3);
  EXPECT_DOUBLE_EQ(result.classes[0].recall, 1);
  EXPECT_DOUBLE_EQ(result.classes[0].f1, 0.5);
  EXPECT_DOUBLE_EQ(result.classes[1].recall, 1.0 / 3);
  EXPECT_DOUBLE_EQ(result.classes[2].f1, 0);
  EXPECT_EQ(result.classes[1].samples, 3);
}

TEST(Metrics, RanksTheLabelAmongFive) {
  Metrics metrics(Metrics::Kind::classes, 7);
  metrics.add(std::array{7.f, 6.f, 5.f, 4.f, 3.f, 2.f, 1.f}, 4, 0);
  metrics.add(std::array{7.f, 6.f, 5.f, 4.f, 3.f, 2.f, 1.f}, 5, 0);
  EXPECT_DOUBLE_EQ(metrics.result({}).top5, 0.5);
  EXPECT_DOUBLE_EQ(metrics.result({}).accuracy, 0);
}

TEST(Metrics, ScoresSeveralLabels) {
  Metrics metrics(Metrics::Kind::several, 2);
  metrics.add(std::array{0.9f, 0.2f}, std::array{1.f, 0.f}, 0.1);
  metrics.add(std::array{0.8f, 0.6f}, std::array{0.f, 1.f}, 0.3);
  const Evaluation result = metrics.result({"x", "y"});
  EXPECT_DOUBLE_EQ(result.accuracy, 0.5);
  EXPECT_DOUBLE_EQ(result.classes[0].precision, 0.5);
  EXPECT_DOUBLE_EQ(*result.classes[0].average_precision, 1);
  EXPECT_DOUBLE_EQ(*result.mean_average_precision, 1);
  EXPECT_TRUE(result.confusion.empty());
  EXPECT_TRUE(std::isnan(result.top5));
}

// By hand: true at ranks 1, 3 and 4: (1/1 + 2/3 + 3/4) / 3.
TEST(Metrics, AveragePrecision) {
  EXPECT_DOUBLE_EQ(average_precision({{0.6f, true}, {0.9f, true}, {0.8f, false}, {0.5f, true}}),
                   (1 + 2.0 / 3 + 0.75) / 3);
  EXPECT_DOUBLE_EQ(average_precision({{0.5f, true}, {0.5f, false}}), 0.5) << "equal scores count together";
  EXPECT_DOUBLE_EQ(average_precision({{0.5f, false}}), 0);
}

TEST(Metrics, NumbersHaveNoAccuracy) {
  Metrics metrics(Metrics::Kind::values, 1);
  metrics.add(std::array{0.9f}, std::array{1.f}, 0.25);
  EXPECT_DOUBLE_EQ(metrics.result({}).loss, 0.25);
  EXPECT_TRUE(std::isnan(metrics.result({}).accuracy));
}

}  // namespace
}  // namespace temper
