// Whole training steps: the same losses as on the processor.
#include "devices/cpu/cpu.h"
#include "fake_device.h"
#include "runtime/compile.h"
#include "support/training_losses.h"

namespace temper::cuda {
namespace {

TEST(CudaTraining, HasTheProcessorsLosses) {
  register_device(cpu::cpu_device());
  expect_same_losses(fake_device(), open_device("cpu"));
}

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
