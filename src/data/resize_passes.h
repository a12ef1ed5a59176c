#pragma once
// The two passes of a resize in fixed point.
#include <cstdint>
#include <vector>

#include "data/image.h"

namespace temper {

// Weights are integers of this many fractional bits: 32 less 8 for the pixel and 2 for the sign and
// overshoot.
inline constexpr int kResizePrecision = 32 - 8 - 2;

// For each output pixel along one axis: the first input pixel and the weights from there on.
struct Taps {
  int width = 0;  // weights per output pixel, those beyond `count` zero
  std::vector<int> first, count;
  std::vector<int32_t> weights;  // [output, width]
};

// Rows first .. first + rows of `image`, each to `width` pixels.
Image scale_rows(const Image& image, int first, int rows, int width, const Taps& taps);

// taps.first counts from row `base` of the picture that `image` was cut from.
Image scale_columns(const Image& image, int base, int height, const Taps& taps);

}  // namespace temper
