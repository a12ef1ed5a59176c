// NVRTC itself, which needs no GPU: every kernel of every sample of every op for three architectures.
#include <filesystem>

#include "base/dynamic_library.h"
#include "devices/cuda/compiler.h"
#include "devices/cuda/libraries.h"
#include "fake_device.h"
#include "launches/plan.h"
#include "nn/models.h"
#include "ops/registry.h"
#include "ops/samples.h"
#include "runtime/compile.h"
#include "support/expect_error.h"
#include "support/sanitizers.h"
#include "train/bench_step.h"

#define TEMPER_NEED_NVRTC()                                                                             \
  do {                                                                                                  \
    if (nvrtc_file().empty()) GTEST_SKIP() << "skipped, because there is no NVRTC: ./run install test"; \
    if (TEST_SANITIZED)                                                                                 \
      GTEST_SKIP() << "skipped, because NVRTC is no code of ours and slow under a sanitizer";           \
    setenv("TEMPER_CUDA_PATH", std::filesystem::path(nvrtc_file()).parent_path().c_str(), 1);           \
  } while (false)

namespace temper::cuda {
namespace {

class CudaCompiler : public testing::TestWithParam<int> {};

// Equal ones once; f64 and every other type among them.
std::string all_kernels() {
  launches::KernelTable kernels;
  for (const Op* const op : all_ops()) {
    if (!op->samples) continue;
    for (const Sample& sample : op->samples()) {
      const Graph legal = legal_graph(cuda_target(), {}, sample_graph(*op, sample));
      bool taken = true;
      for (const Node& node : legal.nodes())
        taken = taken && cuda_target().claim({}, legal, node).kind == Claim::kernel;
      if (taken) launches::make_plan(cuda_vendor(), {}, legal, kernels);
    }
  }
  EXPECT_GT(kernels.size(), 500U);
  return kernels.source(cuda_c());
}

TEST_P(CudaCompiler, TakesEveryKernelOfEverySample) {
  TEMPER_NEED_NVRTC();
  const NvrtcApi& nvrtc = open_nvrtc(13000, GetParam()).api;
  const std::string code = compile_source(nvrtc, all_kernels(), concat("sm_", GetParam()));
  EXPECT_EQ(code.substr(1, 3), "ELF");
}

INSTANTIATE_TEST_SUITE_P(Architectures, CudaCompiler, testing::Values(80, 90, 100),
                         [](const auto& info) { return concat("sm_", info.param); });

// Bottlenecks, depthwise convolutions and their gradients.
TEST(CudaCompiler, TakesATrainingStep) {
  TEMPER_NEED_NVRTC();
  launches::KernelTable kernels;
  const Graph step = bench_step_graph(nn::build_model("mobilenet_v2", 1), {.batch = 2});
  launches::make_plan(cuda_vendor(), {}, legal_graph(cuda_target(), {}, step), kernels);
  EXPECT_EQ(compile_source(open_nvrtc(13000, 90).api, kernels.source(cuda_c()), "sm_90").substr(1, 3), "ELF");
}

TEST(CudaCompiler, SaysWhatIsWrong) {
  TEMPER_NEED_NVRTC();
  expect_error(ErrorKind::device, "no_such_name",
               [] { compile_source(open_nvrtc(13000, 90).api, "void k() { no_such_name(); }", "sm_90"); });
  expect_error(ErrorKind::device, "does not know sm_31", [] { open_nvrtc(13000, 31); });
}

}  // namespace
}  // namespace temper::cuda
