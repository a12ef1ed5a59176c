#include "devices/cpu/peaks.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>

#include "devices/cpu/onednn.h"

namespace temper::cpu {

namespace {

// The best of as many runs as fit in the time.
double best_seconds(const Kernel& kernel, void* const* buffers) {
  using Clock = std::chrono::steady_clock;
  const std::unique_ptr<KernelState> state = kernel.make_state();
  const auto begin = Clock::now();
  double best = 1e9;
  while (std::chrono::duration<double>(Clock::now() - begin).count() < 0.15) {
    const auto start = Clock::now();
    kernel.run(buffers, state.get());
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

double matmul_flops(DType dtype) {
  constexpr int64_t kSize = 1024;
  const Type type{dtype, {kSize, kSize}};
  const Descriptor square = descriptor(type.dtype, type.shape, kRowMajor);
  const dnnl::matmul::primitive_desc description(engine(), square, square, square, user_scratchpad());
  std::vector<Step> steps;
  const Descriptor own = description.scratchpad_desc();
  steps.push_back({dnnl::matmul(description),
                   {{DNNL_ARG_SRC, square, 0},
                    {DNNL_ARG_WEIGHTS, square, 1},
                    {DNNL_ARG_DST, square, 2},
                    {DNNL_ARG_SCRATCHPAD, own, 3}}});
  const StepKernel kernel(std::move(steps), static_cast<int64_t>(own.get_size()));
  const Tensor x(type), y(type), z(type), scratch(Type{DType::u8, {kernel.scratch_bytes()}});
  void* const buffers[] = {x.storage()->data, y.storage()->data, z.storage()->data, scratch.storage()->data};
  return 2.0 * kSize * kSize * kSize / best_seconds(kernel, buffers);
}

double copy_rate() {
  const Type type{DType::u8, {int64_t{1} << 26}};  // larger than any cache that the copy should not live in
  const std::unique_ptr<Kernel> kernel = make_reorder(type, kRowMajor, kRowMajor);
  const Tensor from(type), to(type);
  void* const buffers[] = {from.storage()->data, to.storage()->data};
  return 2.0 * static_cast<double>(byte_size(type)) / best_seconds(*kernel, buffers);
}

}  // namespace

const Peaks& measured_peaks(int threads) {
  static std::mutex mutex;
  static std::map<int, Peaks> known;
  const std::lock_guard lock(mutex);
  const auto found = known.find(threads);
  if (found != known.end()) return found->second;
  const TeamSize team(threads);
  return known[threads] = {matmul_flops(DType::f32), has_bf16_kernels() ? matmul_flops(DType::bf16) : 0,
                           copy_rate()};
}

}  // namespace temper::cpu
