#include "data/preprocess.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "data/pixels.h"
#include "data/resize.h"
#include "support/expect_error.h"
#include "unit/data/pictures.h"

namespace temper {
namespace {

Preprocess steps(std::string_view text) { return parse_preprocess(text, 224, 224); }

TEST(PreprocessPictures, KnowsTheSizeThatComesOut) {
  EXPECT_EQ(output_size(steps("torch")), (PictureSize{224, 224}));
  EXPECT_EQ(output_size(steps("size:10x20,unit")), (PictureSize{10, 20}));
  EXPECT_EQ(output_size(steps("size:10x20,short:5")), (PictureSize{5, 10}));
  EXPECT_EQ(output_size(steps("short:5")), std::nullopt);
  EXPECT_EQ(output_size(steps("unit")), std::nullopt);
  EXPECT_EQ(wanted_short_side(steps("torch")), 256);
  EXPECT_EQ(wanted_short_side(steps("size:10x20")), 20);
  EXPECT_EQ(wanted_short_side(steps("crop:20,size:5x5")), 0);
}

// torchvision: Resize(20) of 37 x 50 (width x height) gives 20 x 27; CenterCrop(16) starts at (2, round(5.5)
// = 6).
TEST(PreprocessPictures, ShortAndCropAsTorchvision) {
  const Image image = picture(37, 50);
  const Image middle = resize(image, 20, 27);
  EXPECT_EQ(scale(image, steps("short:20")).pixels, middle.pixels);
  EXPECT_EQ(scale(image, steps("short:20,crop:16")).pixels, cropped(middle, 2, 6, 16, 16).pixels);
  EXPECT_EQ(scale(image, steps("short:20,crop:17")).pixels, cropped(middle, 2, 5, 17, 17).pixels);
  EXPECT_EQ(scale(picture(50, 37), steps("short:20")).width, 27);
  EXPECT_EQ(scale(image, steps("size:8x9,gray")).pixels, with_channels(resize(image, 9, 8), 1).pixels);
  expect_error(ErrorKind::invalid, "a picture of 37 x 50 pixels is smaller than crop:40x40",
               [&] { scale(image, steps("crop:40")); });
}

std::vector<float> floats(const Image& image, std::string_view text) {
  std::vector<float> out(image.pixels.size());
  PixelValues(steps(text), image.channels)(image.pixels, out);
  return out;
}

TEST(PreprocessPictures, ValuesAreByChannel) {
  Image image(2, 1, 3);
  image.pixels = {0, 51, 255, 102, 153, 204};
  EXPECT_EQ(floats(image, "raw"), (std::vector<float>{0, 102, 51, 153, 255, 204}));
  EXPECT_EQ(floats(image, "unit"), (std::vector<float>{0, 0.4F, 0.2F, 0.6F, 1, 0.8F}));
  EXPECT_EQ(floats(image, "bgr,mean:1/2/3"), (std::vector<float>{254, 203, 49, 151, -3, 99}));
  EXPECT_EQ(floats(image, "mean:1/2/3,bgr"), (std::vector<float>{252, 201, 49, 151, -1, 101}));
  EXPECT_EQ(floats(image, "mean:127.5,std:127.5")[0], -1);
  EXPECT_EQ(floats(image, "mean:127.5,std:127.5")[4], 1);
  EXPECT_NEAR(floats(image, "unit,mean:0.485/0.456/0.406,std:0.229/0.224/0.225")[5], (0.8 - 0.406) / 0.225,
              1e-6);
  EXPECT_NEAR(floats(image, "unit,std:0.5")[1], 0.8, 1e-7);
}

// Gray pictures are computed, others looked up: the same bits, at any length.
TEST(PreprocessPictures, GrayValuesAreThoseOfEachChannel) {
  for (const int width : {1, 7, 8, 9, 259})
    for (const char* text : {"raw", "unit", "unit,mean:0.1307,std:0.3081", "mean:127.5,std:127.5"}) {
      Image gray(width, 1, 1), color(width, 1, 3);
      for (size_t i = 0; i < gray.pixels.size(); ++i) {
        gray.pixels[i] = static_cast<uint8_t>(i * 7);
        std::fill_n(&color.pixels[3 * i], 3, gray.pixels[i]);
      }
      const std::vector<float> values = floats(gray, text), all = floats(color, text);
      for (size_t c = 0; c < 3; ++c)
        EXPECT_TRUE(std::equal(values.begin(), values.end(),
                               all.begin() + static_cast<std::ptrdiff_t>(c * values.size())))
            << text << " " << width;
    }
}

TEST(PreprocessPictures, GiveATensor) {
  const Tensor tensor = picture_to_tensor(picture(30, 20), steps("size:8x9,gray,unit"));
  EXPECT_EQ(to_string(tensor.type()), "f32[1, 8, 9]");
  EXPECT_EQ(to_string(picture_to_tensor(picture(30, 20), steps("torch")).type()), "f32[3, 224, 224]");
}

}  // namespace
}  // namespace temper
