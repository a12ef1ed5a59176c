#pragma once
// Whole training steps on a device: the losses of another.
#include <gtest/gtest.h>

#include <cmath>

#include "nn/models.h"
#include "train/bench_step.h"

namespace temper {

inline std::vector<double> losses_of_steps(Device& device, const Model& model, const BenchStep& options,
                                           int steps) {
  StepBench bench(device, model, options, {.threads = 2});
  std::vector<double> found;
  for (int step = 0; step < steps; ++step) {
    bench.run();
    found.push_back(bench.loss_last());
  }
  return found;
}

inline constexpr int kSteps = 20;

inline void expect_same_losses(Device& device, Device& reference, const char* architecture,
                               const BenchStep& options) {
  const Model model = nn::build_model(architecture, 1);
  const std::vector<double> expected = losses_of_steps(reference, model, options, kSteps),
                            found = losses_of_steps(device, model, options, kSteps);
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], 1e-3 * std::fabs(expected[i])) << "step " << i;
  EXPECT_LT(found.back(), found.front());
}

// A perceptron by two optimizers, and a convolutional net.
inline void expect_same_losses(Device& device, Device& reference) {
  expect_same_losses(device, reference, "mlp:784-128-10", {.batch = 32});
  expect_same_losses(device, reference, "mlp:784-128-10",
                     {.batch = 8, .optimizer = "adamw", .lr = 1e-4, .clip_norm = 1, .ema = 0.9});
  expect_same_losses(device, reference, "cnn", {.batch = 8});
}

}  // namespace temper
