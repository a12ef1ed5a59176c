// A step takes no memory: neither from the allocator nor from the kernel, over a hundred steps of each model.
#include "support/hooks/allocations.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "devices/cpu/cpu.h"
#include "support/data.h"
#include "support/program.h"
#include "support/temporary_folder.h"
#include "train/bench_step.h"
#include "train/open_model.h"

namespace temper {
namespace {

void expect_no_allocation(const std::string& name, const BenchStep& options) {
  if (!can_count_allocations()) GTEST_SKIP() << "skipped, because a sanitizer owns the allocator";
  register_device(cpu::cpu_device());
  TrainEvents silent;
  const Model model = open_model({.model = name}, silent);
  StepBench step(open_device("cpu"), model, options, {.threads = 2});
  for (int i = 0; i < 2; ++i) step.run();
  start_counting_allocations();
  for (int i = 0; i < 100; ++i) step.run();
  const Allocations found = stop_counting_allocations();
  EXPECT_EQ(found.own, 0);
  EXPECT_EQ(found.mapped, 0);
  EXPECT_LE(found.onednn_most, 1024) << "oneDNN's tables of arguments are small";
  EXPECT_LT(step.loss_last(), step.loss_first()) << "the steps are real";
}

TEST(Allocations, NoneInAStepOfTheMlp) {
  expect_no_allocation("mlp:784-128-10", {.batch = 32, .optimizer = "adam"});
}

TEST(Allocations, NoneInAStepOfTheCnn) { expect_no_allocation("cnn", {.batch = 8, .optimizer = "adam"}); }

TEST(Allocations, NoneInAStepOfResNet18) { expect_no_allocation("resnet18", {.batch = 1}); }

TEST(Allocations, NoneInAStepOfTheImportedMobileNetV2) {
  const auto file = shared_data("models/imagenet/mobilenet_v2_1.0_224_float32_from_int8.onnx.gz");
  TEMPER_NEED(file);
  const TemporaryFolder folder;
  const std::string unpacked = (folder.path() / "mobilenet_v2.onnx").string();
  const std::string command = concat("gzip -dc ", file.string(), " > ", unpacked);
  ASSERT_EQ(run_shell(command, (folder.path() / "stderr.txt").string()).code, 0);
  expect_no_allocation(unpacked, {.batch = 1});
}

// The count itself works.
TEST(Allocations, AreCounted) {
  if (!can_count_allocations()) GTEST_SKIP() << "skipped, because a sanitizer owns the allocator";
  start_counting_allocations();
  const Tensor tensor(Type{DType::f32, {16}});
  EXPECT_GT(stop_counting_allocations().own, 0);
}

}  // namespace
}  // namespace temper
