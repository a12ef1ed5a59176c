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

}  // namespace temper::cpu
