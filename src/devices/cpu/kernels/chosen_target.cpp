// Which of our kernels this processor runs. Highway's own library answers the same, but each process that
// loads it measures the clock first, for 3 ms.
#include <hwy/targets.h>

#include "devices/cpu/kernels/bf16.h"

namespace hwy {

int64_t SupportedTargets() {
  __builtin_cpu_init();
  int64_t targets = HWY_STATIC_TARGET;
#define TEMPER_HAS(feature) (__builtin_cpu_supports(feature) != 0)
  const bool sse4 = TEMPER_HAS("ssse3") && TEMPER_HAS("sse4.1") && TEMPER_HAS("sse4.2") &&
                    TEMPER_HAS("aes") && TEMPER_HAS("pclmul");
  const bool avx2 = sse4 && TEMPER_HAS("avx2") && TEMPER_HAS("fma") && TEMPER_HAS("bmi") &&
                    TEMPER_HAS("bmi2") && TEMPER_HAS("f16c") && TEMPER_HAS("lzcnt");
  const bool avx512 = avx2 && TEMPER_HAS("avx512f") && TEMPER_HAS("avx512vl") && TEMPER_HAS("avx512dq") &&
                      TEMPER_HAS("avx512bw") && TEMPER_HAS("avx512cd");
#undef TEMPER_HAS
  if (sse4) targets |= HWY_SSE4;
  if (avx2) targets |= HWY_AVX2;
  if (avx512) targets |= HWY_AVX3;
  return targets;
}

ChosenTarget& GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}

}  // namespace hwy

namespace temper::cpu {

const bool kHasBf16 = [] {
  __builtin_cpu_init();
  return (hwy::SupportedTargets() & HWY_AVX3) != 0 && __builtin_cpu_supports("avx512bf16") != 0;
}();

}  // namespace temper::cpu
