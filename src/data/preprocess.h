#pragma once
// A picture to a model's input, as its Preprocess says.
#include <array>
#include <optional>
#include <span>

#include "data/image.h"
#include "model/preprocess.h"
#include "temper/tensor.h"

namespace temper {

struct PictureSize {
  int height = 0, width = 0;
  friend bool operator==(const PictureSize&, const PictureSize&) = default;
};

// The size that every picture ends with; none if it depends on the picture.
std::optional<PictureSize> output_size(const Preprocess& preprocess);

// The size of a picture of `size` after the steps on pixels.
PictureSize size_after(const Preprocess& preprocess, PictureSize size);

// DecodeOptions::min_short_side for pictures that go through `preprocess`.
int wanted_short_side(const Preprocess& preprocess);

// The steps on pixels: size, short, crop, gray. Error invalid if a crop is larger than the picture.
Image scale(Image image, const Preprocess& preprocess);

// The steps on values: bgr, unit, mean, std: scale * pixel + offset in double, rounded to f32. There are only
// 256 pixels, so the value of each is computed once; gray pictures are faster computed than looked up.
class PixelValues {
 public:
  PixelValues() = default;
  PixelValues(const Preprocess& preprocess, int channels);

  // pixels: [height, width, channels]; out: [channels, height, width]
  void operator()(std::span<const uint8_t> pixels, std::span<float> out) const;

 private:
  std::vector<std::array<float, 256>> tables_;  // by output channel
  double scale_ = 1, offset_ = 0;               // of a single channel
  std::array<size_t, 3> source_ = {0, 1, 2};    // channel of the picture, by output channel
};

// Both, as f32[channels, height, width].
Tensor picture_to_tensor(const Image& image, const Preprocess& preprocess);

}  // namespace temper
