// Whole training steps: the same losses as on the processor.
#include "cpu_plugin.h"
#include "devices/cpu/cpu.h"
#include "runtime/compile.h"
#include "support/training_losses.h"

namespace temper::pjrt {
namespace {

TEST(PjrtTraining, HasTheProcessorsLosses) {
  TEMPER_NEED_PJRT();
  register_device(cpu::cpu_device());
  Device& device = counted_device();
  const int executes = times_called(Function::loaded_executable_execute);
  expect_same_losses(device, open_device("cpu"));
  EXPECT_EQ(times_called(Function::loaded_executable_execute) - executes, 3 * kSteps) << "one a step";
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
