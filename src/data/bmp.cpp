// Windows bitmaps: 1, 4, 8 bits with a palette, 16, 24, 32 bits, runs of 4 and 8 bits. Format:
// BITMAPFILEHEADER and the headers of 12, 40 and more bytes that follow it, as documented by Microsoft.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "base/text.h"
#include "data/decoders.h"
#include "temper/error.h"

namespace temper {
namespace {

enum Compression : uint32_t { kNone = 0, kRuns8 = 1, kRuns4 = 2, kMasks = 3, kMasksWithAlpha = 6 };

[[noreturn]] void corrupt(std::string_view what) {
  throw Error(ErrorKind::corrupt, concat("broken BMP: ", what));
}

uint32_t read(Bytes bytes, size_t at, size_t width) {
  if (at > bytes.size() || bytes.size() - at < width) corrupt("it ends early");
  uint32_t value = 0;
  for (size_t i = 0; i < width; ++i) value |= static_cast<uint32_t>(bytes[at + i]) << (8 * i);
  return value;
}

struct Header {
  int64_t width = 0, height = 0;
  bool top_down = false;
  uint32_t bits = 0, compression = kNone;
  size_t pixels_at = 0;
  std::array<uint32_t, 3> masks{};              // red, green, blue
  std::vector<std::array<uint8_t, 3>> palette;  // red, green, blue
  bool gray = false;                            // the palette is 0, 1, ... of gray
};

void read_masks(Bytes bytes, Header& header) {
  if (header.compression == kMasks || header.compression == kMasksWithAlpha) {
    for (size_t i = 0; i < 3; ++i) header.masks[i] = read(bytes, 54 + 4 * i, 4);
  } else if (header.bits == 16) {
    header.masks = {0x7c00, 0x03e0, 0x001f};
  } else {
    header.masks = {0xff0000, 0x00ff00, 0x0000ff};
  }
}

void read_palette(Bytes bytes, Header& header, size_t at, uint32_t used, size_t entry_bytes) {
  const size_t most = size_t{1} << header.bits;
  const size_t count = used == 0 ? most : std::min<size_t>(used, most);
  header.palette.assign(most, {});
  header.gray = header.bits == 8;
  for (size_t i = 0; i < count && at + 3 <= header.pixels_at; ++i, at += entry_bytes) {
    for (size_t c = 0; c < 3; ++c) {
      header.palette[i][2 - c] = static_cast<uint8_t>(read(bytes, at + c, 1));
      header.gray = header.gray && header.palette[i][2 - c] == i;
    }
  }
}

Header read_header(Bytes bytes) {
  Header header;
  header.pixels_at = read(bytes, 10, 4);
  const size_t size = read(bytes, 14, 4);
  const bool old = size == 12;
  if (!old && size < 40) corrupt(concat("a header of ", size, " bytes"));
  header.width = old ? static_cast<int64_t>(read(bytes, 18, 2)) : static_cast<int32_t>(read(bytes, 18, 4));
  header.height = old ? static_cast<int64_t>(read(bytes, 20, 2)) : static_cast<int32_t>(read(bytes, 22, 4));
  header.bits = read(bytes, old ? 24 : 28, 2);
  if (!old) header.compression = read(bytes, 30, 4);
  header.top_down = header.height < 0;
  if (header.top_down) header.height = -header.height;
  const bool known = header.bits == 1 || header.bits == 4 || header.bits == 8 || header.bits == 16 ||
                     header.bits == 24 || header.bits == 32;
  const bool fits = header.compression == kNone || (header.compression == kRuns8 && header.bits == 8) ||
                    (header.compression == kRuns4 && header.bits == 4) ||
                    ((header.compression == kMasks || header.compression == kMasksWithAlpha) &&
                     (header.bits == 16 || header.bits == 32));
  if (!known || !fits) {
    throw Error(ErrorKind::unsupported,
                concat("BMP of ", header.bits, " bits a pixel with compression ", header.compression));
  }
  if (header.bits <= 8) {
    read_palette(bytes, header, 14 + size, old ? 0 : read(bytes, 46, 4), old ? 3 : 4);
  } else {
    read_masks(bytes, header);
  }
  return header;
}

// A field of a pixel scaled to 0 .. 255.
uint8_t channel(uint32_t pixel, uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  const uint64_t most = mask >> shift;
  return static_cast<uint8_t>(uint64_t{(pixel & mask) >> shift} * 255 / most);
}

void read_plain_row(const Header& header, const std::byte* from, uint8_t* indices_or_rgb) {
  const auto width = static_cast<size_t>(header.width);
  if (header.bits <= 8) {
    const uint32_t per_byte = 8 / header.bits, mask = (1u << header.bits) - 1;
    for (size_t x = 0; x < width; ++x) {
      const uint32_t shift = 8 - header.bits * (static_cast<uint32_t>(x % per_byte) + 1);
      indices_or_rgb[x] = static_cast<uint8_t>((static_cast<uint32_t>(from[x / per_byte]) >> shift) & mask);
    }
    return;
  }
  const size_t pixel_bytes = header.bits / 8;
  for (size_t x = 0; x < width; ++x) {
    const uint32_t pixel = read(Bytes(from + x * pixel_bytes, pixel_bytes), 0, pixel_bytes);
    for (size_t c = 0; c < 3; ++c) indices_or_rgb[3 * x + c] = channel(pixel, header.masks[c]);
  }
}

// Runs of palette indices, bottom row first. Pixels that no run reaches keep index 0.
void read_runs(const Header& header, Bytes bytes, Image& indices) {
  const bool nibbles = header.bits == 4;
  size_t at = header.pixels_at;
  int64_t x = 0, y = 0;
  const auto put = [&](uint32_t index) {
    if (x >= header.width || y >= header.height) corrupt("a run leaves the picture");
    indices.row(static_cast<int>(header.top_down ? y : header.height - 1 - y))[x++] =
        static_cast<uint8_t>(index);
  };
  const auto nibble = [](uint32_t byte, uint32_t i) { return i % 2 == 0 ? byte >> 4 : byte & 15; };
  for (;;) {
    const uint32_t count = read(bytes, at, 1), value = read(bytes, at + 1, 1);
    at += 2;
    if (count > 0) {
      for (uint32_t i = 0; i < count; ++i) put(nibbles ? nibble(value, i) : value);
    } else if (value == 0) {  // end of row
      x = 0, ++y;
    } else if (value == 1) {  // end of picture
      return;
    } else if (value == 2) {  // skip
      x += read(bytes, at, 1), y += read(bytes, at + 1, 1);
      at += 2;
    } else {  // as they are, padded to 16 bits
      for (uint32_t i = 0; i < value; ++i) {
        put(nibbles ? nibble(read(bytes, at + i / 2, 1), i) : read(bytes, at + i, 1));
      }
      const size_t used = nibbles ? (value + 1) / 2 : value;
      at += used + used % 2;
    }
  }
}

Image look_up(const Header& header, Image indices) {
  if (header.gray) return indices;
  Image image(indices.width, indices.height, 3);
  for (size_t i = 0; i < indices.pixels.size(); ++i) {
    std::copy_n(header.palette[indices.pixels[i]].begin(), 3, &image.pixels[3 * i]);
  }
  return image;
}

}  // namespace

Image decode_bmp(Bytes bytes) {
  const Header header = read_header(bytes);
  const bool runs = header.compression == kRuns8 || header.compression == kRuns4;
  // A run of two bytes gives at most 255 pixels; what leaves out more than it gives is no picture.
  const auto size = static_cast<int64_t>(bytes.size());
  check_size("BMP", header.width, header.height, runs ? size * 128 : size * 8);
  Image image(static_cast<int>(header.width), static_cast<int>(header.height), header.bits <= 8 ? 1 : 3);
  if (runs) {
    read_runs(header, bytes, image);
    return look_up(header, std::move(image));
  }
  const size_t stride = (static_cast<size_t>(header.width) * header.bits + 31) / 32 * 4;
  const size_t row_bytes = (static_cast<size_t>(header.width) * header.bits + 7) / 8;
  const size_t needed = stride * static_cast<size_t>(header.height - 1) + row_bytes;
  if (header.pixels_at > bytes.size() || bytes.size() - header.pixels_at < needed) corrupt("it ends early");
  for (int y = 0; y < image.height; ++y) {
    const int to = header.top_down ? y : image.height - 1 - y;
    read_plain_row(header, bytes.data() + header.pixels_at + stride * static_cast<size_t>(y), image.row(to));
  }
  return header.bits <= 8 ? look_up(header, std::move(image)) : image;
}

}  // namespace temper
