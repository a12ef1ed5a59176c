#pragma once
// Exact rearrangements of pixels.
#include "data/image.h"

namespace temper {

// Gray to three equal channels, or colours to luma by ITU-R 601 in 16-bit fixed point (as Pillow's
// convert("L")).
Image with_channels(Image image, int channels);

// By the EXIF orientation, 1 to 8, of a picture as stored.
Image turned_upright(Image image, int orientation);

Image flipped(const Image& image);                                            // left and right
Image cropped(const Image& image, int left, int top, int width, int height);  // lies inside

}  // namespace temper
