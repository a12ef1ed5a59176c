// The first losses of trainings on real data, a step an epoch: those of the processor.
#include <cmath>
#include <fstream>
#include <sstream>

#include "pjrt_program.h"
#include "support/sanitizers.h"

namespace temper {
namespace {

constexpr int kSteps = 20;

class PjrtLosses : public PjrtProgram {
 protected:
  void SetUp() override {
    PjrtProgram::SetUp();
    if (TEST_SANITIZED) GTEST_SKIP() << "skipped, because forty steps take too long under a sanitizer";
  }

  // Column train.loss of history.csv: all samples are one batch, so that an epoch is a step.
  std::vector<double> losses(const std::string& words, const std::string& device) const {
    json(
        concat("tune ", words, " --epochs ", kSteps, " --device ", device, " --overwrite --out ", in("run")));
    std::ifstream file(in("run/history.csv"));
    std::vector<double> found;
    std::string line;
    for (std::getline(file, line); std::getline(file, line);) {
      std::istringstream cells(line);
      std::string cell;
      for (int i = 0; i < 5; ++i) std::getline(cells, cell, ',');
      found.push_back(std::stod(cell));
    }
    return found;
  }

  void expect_same(const std::string& words) const {
    const std::vector<double> here = losses(words, "cpu"), there = losses(words, "pjrt:cpu");
    ASSERT_EQ(here.size(), static_cast<size_t>(kSteps));
    ASSERT_EQ(there.size(), here.size());
    for (size_t i = 0; i < here.size(); ++i)
      EXPECT_NEAR(there[i], here[i], 1e-3 * std::fabs(here[i])) << "step " << i + 1;
    EXPECT_LT(here.back(), here.front());
  }
};

TEST_F(PjrtLosses, OfAPerceptronOnDigits) {
  expect_same(concat("mlp:784-128-10 --batch 2048 --preprocess gray,unit --lr 1e-3 --data ",
                     shipped_data("mnist").string()));
}

// Not by Adam: what it divides by is at first as small as the rounding of the gradients, and a net with
// bounds and maxima makes that visible within the twenty steps.
TEST_F(PjrtLosses, OfAConvolutionalNetOnPhotos) {
  expect_same(
      concat("cnn --batch 320 --preprocess size:32x32,unit --optimizer sgd --momentum 0.9 --lr 0.05 --data ",
             shipped_data("clothing10").string()));
}

TEST_F(PjrtLosses, OfANewHeadOnPhotos) {
  expect_same(concat(
      mobilenet(),
      " --batch 320 --preprocess short:256,crop:224,mean:127.5,std:127.5 --head gap,dense:128:relu,dense "
      "--lr 1e-3 --data ",
      shipped_data("clothing10").string()));
}

}  // namespace
}  // namespace temper
