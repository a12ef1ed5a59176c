#include "data/resize.h"

#include <gtest/gtest.h>

#include <array>
#include <charconv>
#include <fstream>
#include <map>

#include "base/hash.h"
#include "data/pixels.h"
#include "unit/data/pictures.h"

namespace temper {
namespace {

TEST(Resize, IsPillowsToTheBit) {
  const std::map<std::string, Filter> filters = {{"nearest", Filter::nearest},
                                                 {"box", Filter::box},
                                                 {"bilinear", Filter::bilinear},
                                                 {"bicubic", Filter::bicubic},
                                                 {"lanczos", Filter::lanczos}};
  const std::array<Image, 2> sources = {picture(301, 201), with_channels(picture(301, 201), 1)};
  std::ifstream cases(golden_data("resize.txt"));
  std::string filter, hash;
  int width = 0, height = 0, gray = 0, count = 0;
  Box box;
  while (cases >> filter >> width >> height >> box.left >> box.top >> box.right >> box.bottom >> gray >>
         hash) {
    const Image scaled = resize(sources[static_cast<size_t>(gray)], width, height, filters.at(filter), box);
    uint64_t expected = 0;
    std::from_chars(hash.data(), hash.data() + hash.size(), expected, 16);
    EXPECT_EQ(hash_bytes(std::as_bytes(std::span(scaled.pixels))), expected)
        << filter << " " << width << " x " << height << " of " << box.left << " " << box.top << " gray "
        << gray;
    ++count;
  }
  EXPECT_EQ(count, 5 * 7 * 3 * 2);
}

TEST(Pixels, CropAndFlip) {
  const Image image = picture(9, 7);
  const Image part = cropped(image, 2, 3, 4, 2);
  EXPECT_EQ(part.row(1)[3 * 3 + 1], image.row(4)[3 * 5 + 1]);
  const Image mirror = flipped(image);
  EXPECT_EQ(mirror.row(6)[2], image.row(6)[3 * 8 + 2]);
  EXPECT_EQ(flipped(mirror).pixels, image.pixels);
}

}  // namespace
}  // namespace temper
