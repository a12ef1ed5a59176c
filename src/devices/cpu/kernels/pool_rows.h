#pragma once
// What pooling does with runs of channels of one place in a picture.
#include <cstdint>

#include "devices/cpu/kernels/bf16.h"

namespace temper::cpu {

// T: float or Bf16; uint8_t and int8_t only have `max`. Gradients are added up in f32. taps: the places of a
// window, in row-major order, as offsets into the picture.
template <class T>
struct PoolFunctions {
  // y[i] = max over taps of x[tap + i]; NaN if any is. At least one tap.
  void (*max)(const T* x, const int64_t* taps, int64_t count, int64_t channels, T* y);
  // y[i] = factor sum over taps of x[tap + i]
  void (*sum)(const T* x, const int64_t* taps, int64_t count, float factor, int64_t channels, T* y);
  // dx[tap + i] += dy[i] at the first tap whose x is largest, NaN above all
  void (*max_grad)(const T* x, const T* dy, const int64_t* taps, int64_t count, int64_t channels, float* dx);
  // dx[tap + i] += factor dy[i] at every tap
  void (*sum_grad)(const T* dy, const int64_t* taps, int64_t count, float factor, int64_t channels,
                   float* dx);
  void (*copy)(const float* from, int64_t n, T* to);
};
template <class T>
const PoolFunctions<T>& pool_functions();

}  // namespace temper::cpu
