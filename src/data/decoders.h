#pragma once
// One decoder per format. Each returns the picture with the channels it has, 1 or 3, upright as stored.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "data/image.h"

namespace temper {

using Bytes = std::span<const std::byte>;

struct Jpeg {
  Image image;
  int orientation = 1;  // of EXIF, 1 to 8
};
Jpeg decode_jpeg(Bytes bytes, int min_short_side);
Image decode_png(Bytes bytes);
Image decode_webp(Bytes bytes);
Image decode_bmp(Bytes bytes);

// Of EXIF data that begin with "Exif\0\0"; 1 if they do not say.
int exif_orientation(Bytes bytes);

// Throws before anything large is allocated: Error corrupt if a side is not positive or the picture has more
// pixels than its bytes can hold, unsupported if it has more than kMaxPixels.
inline constexpr int64_t kMaxPixels = 178'956'970;  // 512 MiB as RGB
void check_size(std::string_view format, int64_t width, int64_t height, int64_t most_pixels);

}  // namespace temper
