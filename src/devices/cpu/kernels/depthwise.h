#pragma once
// Depthwise convolutions over pictures with channels last: one weight per channel and tap, so that a vector
// of channels needs no sum across it.
#include <cstdint>

#include "devices/cpu/kernels/bf16.h"

namespace temper::cpu {

// Of one place of a picture, over all its channels: result[c] = sum over taps of
// picture[places[k] + c] weights[rows[k] + c].
struct DepthwiseTaps {
  int64_t count = 0;
  const int64_t* places;  // offsets into the picture
  const int64_t* rows;    // offsets into the weights, f32 [taps, channels]
};

using DepthwisePlace = void (*)(const Bf16* picture, const float* weights, const DepthwiseTaps& taps,
                                int64_t channels, Bf16* result);
DepthwisePlace depthwise_place();

// A line of the result, over lines of f32: y[place, c] = sum over rows and taps of
// lines[row][place * stride - before + tap, c] weights[row, tap, c], then + bias[c], then held within bounds.
struct DepthwiseLine {
  const float* const* lines;  // one for each row of the window; null: beyond the edges, zeros
  int64_t rows, taps;         // of the window
  int64_t width;              // of x: places of a line
  int64_t stride, before;
  int64_t places;    // of y
  int64_t channels;  // a multiple of 16; they lie together
  int64_t y_step;    // from place to place
  const float* weights;
  const float* bias;  // or null
  float low, high;
};
void depthwise_line(const DepthwiseLine& line, float* y);

}  // namespace temper::cpu
