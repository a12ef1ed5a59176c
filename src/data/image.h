#pragma once
// A picture in memory.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace temper {

struct Image {
  int width = 0, height = 0, channels = 0;  // channels: 1 gray, 3 red, green, blue
  std::vector<uint8_t> pixels;              // [height, width, channels]

  Image() = default;
  Image(int width, int height, int channels)
      : width(width),
        height(height),
        channels(channels),
        pixels(static_cast<size_t>(width) * static_cast<size_t>(height) * static_cast<size_t>(channels)) {}

  uint8_t* row(int y) { return pixels.data() + offset(y); }
  const uint8_t* row(int y) const { return pixels.data() + offset(y); }

 private:
  size_t offset(int y) const {
    return static_cast<size_t>(y) * static_cast<size_t>(width) * static_cast<size_t>(channels);
  }
};

}  // namespace temper
