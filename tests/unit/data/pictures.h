#pragma once
// Pictures that tests of this folder share.
#include <cstdint>
#include <string>

#include "data/image.h"
#include "support/data.h"

namespace temper {

// By the formula of tests/golden/data/make.py.
inline Image picture(int width, int height) {
  Image image(width, height, 3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint8_t* pixel = image.row(y) + x * 3;
      pixel[0] = static_cast<uint8_t>(x * 11 + y * 3);
      pixel[1] = static_cast<uint8_t>(x * 2 + y * 13);
      pixel[2] = static_cast<uint8_t>((x / 5 + y / 4) % 2 * 200 + 20);
    }
  }
  return image;
}

inline std::string golden_data(const std::string& name) {
  return (in_repository("tests/golden/data") / name).string();
}

}  // namespace temper
