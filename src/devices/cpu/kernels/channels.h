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

// The clamp behind a norm, which lets dy pass where low < y < high.
template <class T>
struct Gate {
  bool open = true;                                 // there is none: the rest is not read
  const T* y = nullptr;                             // null: computed again, (x - centre) factor + shift
  T* kept = nullptr;                                // where sums leave what passed; may be null
  const float *factor = nullptr, *shift = nullptr;  // by channel
  Bounds bounds = {};

  Gate at(int64_t element, int64_t channel) const {
    return {
        open,  y ? y + element : nullptr, kept ? kept + element : nullptr, factor + channel, shift + channel,
        bounds};
  }
};

// T: float or Bf16. Sums are of f32 in short blocks, of f64 over these.
template <class T>
struct ChannelFunctions {
  // first[i] += x - centre, second[i] += (x - centre)^2 over rows of `columns` channels, `step` apart
  void (*sum_rows)(const T* x, const float* centre, int64_t rows, int64_t columns, int64_t step,
                   double* first, double* second);
  // over n elements of one channel
  void (*sum_plane)(const T* x, const float* centre, int64_t n, double* first, double* second);
  // the same of dy and dy (x - centre), for what of dy passes the gate
  void (*sum_gradient_rows)(const T* x, const T* dy, const Gate<T>& gate, const float* centre, int64_t rows,
                            int64_t columns, int64_t step, double* first, double* second);
  void (*sum_gradient_plane)(const T* x, const T* dy, const Gate<T>& gate, const float* centre, int64_t n,
                             double* first, double* second);
  // y = clamp((x - centre) factor + shift + addend); addend may be null. A NaN stays one.
  void (*apply_row)(const T* x, const T* addend, const ChannelConstants& c, Bounds bounds, int64_t n, T* y);
  void (*apply_plane)(const T* x, const T* addend, const ChannelConstants& c, Bounds bounds, int64_t n, T* y);
  // dx = dy factor - (x - centre) slope - shift, for what of dy passes the gate
  void (*gradient_row)(const T* x, const T* dy, const Gate<T>& gate, const ChannelConstants& c, int64_t n,
                       T* dx);
  void (*gradient_plane)(const T* x, const T* dy, const Gate<T>& gate, const ChannelConstants& c, int64_t n,
                         T* dx);
};
template <class T>
const ChannelFunctions<T>& channel_functions();

}  // namespace temper::cpu
