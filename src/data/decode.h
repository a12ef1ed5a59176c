#pragma once
// Picture files to pixels: JPEG, PNG, WebP, BMP, told apart by their first bytes.
#include <cstddef>
#include <span>
#include <string>

#include "data/image.h"

namespace temper {

struct DecodeOptions {
  int channels = 3;  // 3, or 1: luma by ITU-R 601
  // The short side that is wanted in the end; 0: full size. A large JPEG is then decoded at 1/2, 1/4 or 1/8
  // of its size, as long as its short side stays at least twice this.
  int min_short_side = 0;
};

// Upright (EXIF orientation applied); transparency is dropped, 16 bits become 8. Error corrupt or unsupported
// says what is wrong with the picture; the caller adds the file's name. A file that ends early is an error.
// Thread-safe.
Image decode_image(std::span<const std::byte> bytes, const DecodeOptions& options);

// The same of a file, errors naming it.
Image read_image(const std::string& path, const DecodeOptions& options);

// Whether a file's name ends as one of these formats does (.jpg .jpeg .png .webp .bmp, any case).
bool is_picture_name(const std::string& path);

}  // namespace temper
