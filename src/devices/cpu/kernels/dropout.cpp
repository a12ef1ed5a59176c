#include "devices/cpu/kernels/dropout.h"

#include <algorithm>
#include <cmath>

#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/request.h"

namespace temper::cpu {

// Elements are counted in logical order, so the layout is row-major.
std::unique_ptr<Kernel> make_dropout(const NodeRequest& request) {
  const Operand x = request.input(0), key = request.input(1), y = request.output(0);
  const double rate = request.attributes().get<double>("rate");
  const auto stream = static_cast<uint64_t>(request.attributes().get<int64_t>("stream"));
  const auto threshold = static_cast<uint32_t>(std::floor(rate * 0x1p32));
  const auto factor = static_cast<float>(1 / (1 - rate));
  const int64_t n = x.elements();
  return function_kernel([=](void* const* buffers) {
    constexpr int64_t kRun = 4096, kWork = 8;
    const auto* words = key.in<const uint32_t>(buffers);
    const PhiloxKey own = fold_in({words[0], words[1]}, stream);
    parallel_tasks((n + kRun - 1) / kRun, n * kWork, [&](int64_t run) {
      const int64_t at = run * kRun;
      drop_run(x.in<const float>(buffers) + at, own, static_cast<uint64_t>(at), threshold, factor,
               std::min(kRun, n - at), y.in<float>(buffers) + at);
    });
  });
}

}  // namespace temper::cpu
