#pragma once
// What our kernels are compiled for: the baseline, SSE4, AVX2 and AVX-512. More would cost build time for
// little.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
