#pragma once
// What pooling does with runs of channels of one place in an f32 picture.
#include <cstdint>

namespace temper::cpu {

// taps: the places of a window, in row-major order, as offsets into the picture.
struct PoolFunctions {
  // y[i] = max over taps of x[tap + i]; NaN if any is. At least one tap.
  void (*max)(const float* x, const int64_t* taps, int64_t count, int64_t channels, float* y);
  // y[i] = factor sum over taps of x[tap + i]
  void (*sum)(const float* x, const int64_t* taps, int64_t count, float factor, int64_t channels, float* y);
  // dx[tap + i] += dy[i] at the first tap whose x is largest, NaN above all
  void (*max_grad)(const float* x, const float* dy, const int64_t* taps, int64_t count, int64_t channels,
                   float* dx);
  // dx[tap + i] += factor dy[i] at every tap
  void (*sum_grad)(const float* dy, const int64_t* taps, int64_t count, float factor, int64_t channels,
                   float* dx);
};
const PoolFunctions& pool_functions();

}  // namespace temper::cpu
