#pragma once
// Sums per channel and maps with a constant per channel, over pictures of either layout.
#include <cstdint>

#include "devices/cpu/kernels/bf16.h"

namespace temper::cpu {

// Vectors by channel for a row; one number each for a plane.
struct ChannelConstants {
  const float *centre, *factor, *slope, *shift;
};

struct Bounds {
  float low, high;
};

// T: float or Bf16. What is summed for each channel, in f64: with dy null {x, x^2}, else {dy, dy (x -
// centre)}.
template <class T>
struct ChannelFunctions {
  // first[i] += ..., second[i] += ... over rows of `columns` channels, `step` elements apart in x, `dy_step`
  // in dy
  void (*sum_rows)(const T* x, const T* dy, const float* centre, int64_t rows, int64_t columns, int64_t step,
                   int64_t dy_step, double* first, double* second);
  // over n elements of one channel
  void (*sum_plane)(const T* x, const T* dy, float centre, int64_t n, double* first, double* second);
  // y = clamp((x - centre) factor + shift + addend); addend may be null. A NaN stays one.
  void (*apply_row)(const T* x, const T* addend, const ChannelConstants& c, Bounds bounds, int64_t n, T* y);
  void (*apply_plane)(const T* x, const T* addend, const ChannelConstants& c, Bounds bounds, int64_t n, T* y);
  // dx = dy factor - (x - centre) slope - shift
  void (*gradient_row)(const T* x, const T* dy, const ChannelConstants& c, int64_t n, T* dx);
  void (*gradient_plane)(const T* x, const T* dy, const ChannelConstants& c, int64_t n, T* dx);
  // result = dy where low < y < high, else 0
  void (*gate)(const T* dy, const T* y, Bounds bounds, int64_t n, T* result);
};
template <class T>
const ChannelFunctions<T>& channel_functions();

}  // namespace temper::cpu
