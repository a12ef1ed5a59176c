#pragma once
// Scaling with an antialiasing filter: each output pixel is a weighted mean of the input pixels that it
// covers, in 8-bit fixed point, first along rows, then along columns. The arithmetic of Pillow's
// Image.resize, bit for bit.
#include "data/image.h"

namespace temper {

enum class Filter { nearest, box, bilinear, bicubic, lanczos };

// A part of a picture, in pixels; edges may lie within a pixel.
struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
};

Image resize(const Image& image, int width, int height, Filter filter = Filter::bilinear);
Image resize(const Image& image, int width, int height, Filter filter,
             const Box& box);  // box lies inside, not empty

}  // namespace temper
