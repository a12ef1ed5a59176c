// Whole training steps: the same losses as on the processor.
#include <cmath>

#include "devices/cpu/cpu.h"
#include "fake_device.h"
#include "nn/models.h"
#include "runtime/compile.h"
#include "train/bench_step.h"

namespace temper::cuda {
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

void expect_same_losses(const char* architecture, const BenchStep& options, int steps) {
  register_device(cpu::cpu_device());
  const Model model = nn::build_model(architecture, 1);
  const std::vector<double> expected = losses(open_device("cpu"), model, options, steps);
  const std::vector<double> found = losses(fake_device(), model, options, steps);
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], 1e-3 * std::fabs(expected[i])) << "step " << i;
  EXPECT_LT(found.back(), found.front());
}

TEST(CudaTraining, Mlp) {
  expect_same_losses("mlp:784-128-10", {.batch = 32}, 20);
  expect_same_losses("mlp:784-128-10",
                     {.batch = 8, .optimizer = "adamw", .lr = 1e-4, .clip_norm = 1, .ema = 0.9}, 20);
}

TEST(CudaTraining, Cnn) { expect_same_losses("cnn", {.batch = 4}, 20); }

// No node of a step is refused: none would run elsewhere.
TEST(CudaTraining, EveryNodeOfAStepIsTaken) {
  for (const char* architecture : {"mlp:784-128-10", "cnn", "resnet18", "mobilenet_v2"}) {
    const Graph graph =
        legal_graph(cuda_target(), {}, bench_step_graph(nn::build_model(architecture, 1), {.batch = 2}));
    for (int i = 0; i < graph.size(); ++i)
      EXPECT_EQ(cuda_target().claim({}, graph, graph.nodes()[static_cast<size_t>(i)]).kind, Claim::kernel)
          << architecture << ": " << graph.describe(i);
  }
}

}  // namespace
}  // namespace temper::cuda
