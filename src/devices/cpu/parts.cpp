#include "devices/cpu/parts.h"

#include <algorithm>
#include <atomic>

#include "base/check.h"

namespace temper::cpu {

void sum_parts(const float* parts, int64_t stride, size_t count, int64_t elements, float* result) {
  constexpr int64_t kChunk = 4096;
  const int64_t chunks = (elements + kChunk - 1) / kChunk;
#pragma omp parallel for if (chunks > 4)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t end = std::min(elements, (chunk + 1) * kChunk);
    for (int64_t i = chunk * kChunk; i < end; ++i) {
      float sum = parts[i];
      for (size_t part = 1; part < count; ++part) sum += parts[static_cast<int64_t>(part) * stride + i];
      result[i] = sum;
    }
  }
}

void PartsKernel::run(void* const* buffers, KernelState* state) const {
  auto& bound = static_cast<BoundSteps&>(*state);
  size_t next = 0;
  for (; next < order_.before; ++next) bound.run(next, buffers);
  std::atomic<bool> failed = false;  // no exception may leave a parallel region
#pragma omp parallel for schedule(dynamic, 1)
  for (size_t part = 0; part < order_.parts; ++part) {
    try {
      for (size_t i = 0; i < order_.steps_per_part; ++i)
        bound.run(next + part * order_.steps_per_part + i, buffers);
    } catch (...) {
      failed = true;
    }
  }
  TEMPER_CHECK(!failed, "a part of a convolution failed");
  if (sum_.elements > 0)
    sum_parts(static_cast<const float*>(buffers[sum_.parts_buffer]), sum_.stride, order_.parts, sum_.elements,
              static_cast<float*>(buffers[sum_.buffer]));
  for (next += order_.parts * order_.steps_per_part; next < steps_.size(); ++next) bound.run(next, buffers);
}

}  // namespace temper::cpu
