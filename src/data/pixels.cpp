#include "data/pixels.h"

#include <algorithm>

#include "base/check.h"

namespace temper {
namespace {

// out(x, y) = image(source(x, y))
template <class Source>
Image rearranged(const Image& image, int width, int height, Source&& source) {
  Image out(width, height, image.channels);
  const auto channels = static_cast<size_t>(image.channels);
  for (int y = 0; y < height; ++y) {
    uint8_t* to = out.row(y);
    for (int x = 0; x < width; ++x, to += channels) {
      const auto [from_x, from_y] = source(x, y);
      std::copy_n(image.row(from_y) + static_cast<size_t>(from_x) * channels, channels, to);
    }
  }
  return out;
}

}  // namespace

Image with_channels(Image image, int channels) {
  if (image.channels == channels) return image;
  Image out(image.width, image.height, channels);
  const uint8_t* from = image.pixels.data();
  const size_t count = static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
  if (channels == 3) {
    for (size_t i = 0; i < count; ++i) std::fill_n(&out.pixels[3 * i], 3, from[i]);
  } else {
    for (size_t i = 0; i < count; ++i) {
      const uint32_t luma =
          19595u * from[3 * i] + 38470u * from[3 * i + 1] + 7471u * from[3 * i + 2] + 0x8000u;
      out.pixels[i] = static_cast<uint8_t>(luma >> 16);
    }
  }
  return out;
}

Image turned_upright(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const int w = image.width, h = image.height;
  const bool swaps = orientation >= 5;
  // Which corner the stored first row and column start from: EXIF 2.3, tag 0x0112.
  return rearranged(image, swaps ? h : w, swaps ? w : h, [&](int x, int y) -> std::pair<int, int> {
    switch (orientation) {
      case 2:
        return {w - 1 - x, y};
      case 3:
        return {w - 1 - x, h - 1 - y};
      case 4:
        return {x, h - 1 - y};
      case 5:
        return {y, x};
      case 6:
        return {y, h - 1 - x};
      case 7:
        return {w - 1 - y, h - 1 - x};
      default:
        return {w - 1 - y, x};
    }
  });
}

Image flipped(const Image& image) {
  return rearranged(image, image.width, image.height,
                    [&](int x, int y) { return std::pair<int, int>(image.width - 1 - x, y); });
}

Image cropped(const Image& image, int left, int top, int width, int height) {
  TEMPER_CHECK(left >= 0 && top >= 0 && width > 0 && height > 0 && left + width <= image.width &&
               top + height <= image.height);
  Image out(width, height, image.channels);
  const auto channels = static_cast<size_t>(image.channels);
  for (int y = 0; y < height; ++y) {
    std::copy_n(image.row(top + y) + static_cast<size_t>(left) * channels,
                static_cast<size_t>(width) * channels, out.row(y));
  }
  return out;
}

}  // namespace temper
