#pragma once
// Sums per channel and maps with a constant per channel, over f32 pictures of either layout.
#include <cstdint>

namespace temper::cpu {

// What is summed for each channel, in f64: with dy null {x, x^2}, else {dy, dy (x - centre)}.
struct ChannelFunctions {
  // first[i] += ..., second[i] += ... over rows of `columns` channels, `step` elements apart
  void (*sum_rows)(const float* x, const float* dy, const float* centre, int64_t rows, int64_t columns,
                   int64_t step, double* first, double* second);
  // over n elements of one channel
  void (*sum_plane)(const float* x, const float* dy, float centre, int64_t n, double* first, double* second);
  // y = (x - centre) factor + shift, or with dy: y = dy factor - (x - centre) slope - shift; by channel
  void (*map_row)(const float* x, const float* dy, const float* centre, const float* factor,
                  const float* slope, const float* shift, int64_t n, float* y);
  void (*map_plane)(const float* x, const float* dy, float centre, float factor, float slope, float shift,
                    int64_t n, float* y);
};
const ChannelFunctions& channel_functions();

}  // namespace temper::cpu
