// Whole training steps: the same losses as on the processor.
#include <gtest/gtest.h>

#include <cmath>

#include "cpu_plugin.h"
#include "devices/cpu/cpu.h"
#include "nn/models.h"
#include "runtime/compile.h"
#include "train/bench_step.h"

namespace temper::pjrt {
namespace {

std::vector<double> losses(Device& device, const Model& model, const BenchStep& options, int steps) {
  StepBench bench(device, model, options, {.threads = 2});
  std::vector<double> found;
  for (int step = 0; step < steps; ++step) {
    bench.run();
    found.push_back(bench.loss_last());
  }
  return found;
}

void expect_same_losses(const char* architecture, const BenchStep& options) {
  constexpr int kSteps = 20;
  register_device(cpu::cpu_device());
  const Model model = nn::build_model(architecture, 1);
  const std::vector<double> expected = losses(open_device("cpu"), model, options, kSteps);
  const int executes = times_called(Function::loaded_executable_execute);
  const std::vector<double> found = losses(counted_device(), model, options, kSteps);
  EXPECT_EQ(times_called(Function::loaded_executable_execute) - executes, kSteps);
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], 1e-3 * std::fabs(expected[i])) << "step " << i;
  EXPECT_LT(found.back(), found.front());
}

TEST(PjrtTraining, Mlp) {
  TEMPER_NEED_PLUGIN();
  counted_device();
  expect_same_losses("mlp:784-128-10", {.batch = 32});
  expect_same_losses("mlp:784-128-10",
                     {.batch = 8, .optimizer = "adamw", .lr = 1e-4, .clip_norm = 1, .ema = 0.9});
}

TEST(PjrtTraining, Cnn) {
  TEMPER_NEED_PLUGIN();
  counted_device();
  expect_same_losses("cnn", {.batch = 8});
}

// No node of a step is refused: none would run elsewhere.
TEST(PjrtTraining, EveryNodeOfAStepIsTaken) {
  for (const char* architecture : {"mlp:784-128-10", "cnn", "resnet18", "mobilenet_v2"}) {
    const Graph graph = bench_step_graph(nn::build_model(architecture, 1), {.batch = 2});
    EXPECT_NO_THROW(compile(pjrt_target(), {}, graph)) << architecture;
  }
}

}  // namespace
}  // namespace temper::pjrt
