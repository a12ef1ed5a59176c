// Whole training steps: the same losses as on the processor.
#include "counted.h"
#include "devices/cpu/cpu.h"
#include "runtime/compile.h"
#include "support/training_losses.h"

namespace temper::opencl {
namespace {

TEST(OpenclTraining, HasTheProcessorsLosses) {
  TEMPER_NEED_OPENCL();
  register_device(cpu::cpu_device());
  expect_same_losses(counted_device(), open_device("cpu"));
}

// No node of a step is refused: none would run elsewhere.
TEST(OpenclTraining, EveryNodeOfAStepIsTaken) {
  for (const char* architecture : {"mlp:784-128-10", "cnn", "resnet18", "mobilenet_v2"}) {
    const Graph graph =
        legal_graph(opencl_target(), {}, bench_step_graph(nn::build_model(architecture, 1), {.batch = 2}));
    for (int i = 0; i < graph.size(); ++i)
      EXPECT_EQ(opencl_target().claim({}, graph, graph.nodes()[static_cast<size_t>(i)]).kind, Claim::kernel)
          << architecture << ": " << graph.describe(i);
  }
}

}  // namespace
}  // namespace temper::opencl
