#pragma once
// Sums per channel and maps with a constant per channel, over pictures of either layout.
#include <cstdint>

#include "devices/cpu/kernels/bf16.h"

namespace temper::cpu {

// T: float or Bf16. What is summed for each channel, in f64: with dy null {x, x^2}, else {dy, dy (x -
// centre)}.
template <class T>
struct ChannelFunctions {
  // first[i] += ..., second[i] += ... over rows of `columns` channels, `step` elements apart
  void (*sum_rows)(const T* x, const T* dy, const float* centre, int64_t rows, int64_t columns, int64_t step,
                   double* first, double* second);
  // over n elements of one channel
  void (*sum_plane)(const T* x, const T* dy, float centre, int64_t n, double* first, double* second);
  // y = (x - centre) factor + shift, or with dy: y = dy factor - (x - centre) slope - shift; by channel
  void (*map_row)(const T* x, const T* dy, const float* centre, const float* factor, const float* slope,
                  const float* shift, int64_t n, T* y);
  void (*map_plane)(const T* x, const T* dy, float centre, float factor, float slope, float shift, int64_t n,
                    T* y);
};
template <class T>
const ChannelFunctions<T>& channel_functions();

}  // namespace temper::cpu
