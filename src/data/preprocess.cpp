#include "data/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "data/pixels.h"
#include "data/resize.h"

namespace temper {
namespace {

using Kind = PreprocessStep::Kind;

// The other side follows, cut to whole pixels as torchvision's Resize does.
PictureSize with_short_side(const PictureSize& size, int side) {
  const auto along = [&](int longer, int shorter) {
    return static_cast<int>(static_cast<int64_t>(side) * longer / shorter);
  };
  return size.width <= size.height ? PictureSize{along(size.height, size.width), side}
                                   : PictureSize{side, along(size.width, size.height)};
}

Image center_crop(const Image& image, int height, int width) {
  if (image.width < width || image.height < height) {
    throw Error(ErrorKind::invalid, concat("a picture of ", image.width, " x ", image.height,
                                           " pixels is smaller than crop:", height, "x", width,
                                           "; scale it first with short:N or size:HxW"));
  }
  // Half a pixel goes to the even side, as Python rounds in torchvision's CenterCrop.
  const auto middle = [](int whole, int part) {
    return static_cast<int>(std::nearbyint((whole - part) / 2.0));
  };
  return cropped(image, middle(image.width, width), middle(image.height, height), width, height);
}

// value = pixel * scale + offset, per channel
struct Affine {
  std::array<double, 3> scale = {1, 1, 1}, offset = {0, 0, 0};
};

float value_for(const PreprocessStep& step, size_t channel) {
  return step.values.size() == 1 ? step.values[0] : step.values[channel];
}

}  // namespace

PictureSize size_after(const Preprocess& preprocess, PictureSize size) {
  for (const PreprocessStep& step : preprocess.steps) {
    if (step.kind == Kind::size || step.kind == Kind::crop) size = {step.height, step.width};
    if (step.kind == Kind::short_side) size = with_short_side(size, step.height);
  }
  return size;
}

std::optional<PictureSize> output_size(const Preprocess& preprocess) {
  // Two sizes that share no shape: what they agree on does not depend on the picture.
  const PictureSize wide = size_after(preprocess, {1, 4096}), tall = size_after(preprocess, {4096, 1});
  return wide == tall ? std::optional(wide) : std::nullopt;
}

int wanted_short_side(const Preprocess& preprocess) {
  for (const PreprocessStep& step : preprocess.steps) {
    if (step.kind == Kind::size || step.kind == Kind::short_side) return std::max(step.height, step.width);
    if (step.kind == Kind::crop) return 0;  // of the picture at its full size
  }
  return 0;
}

Image scale(const Image& image, const Preprocess& preprocess) {
  Image result = image;
  for (const PreprocessStep& step : preprocess.steps) {
    if (step.kind == Kind::size) {
      result = resize(result, step.width, step.height);
    } else if (step.kind == Kind::short_side) {
      const PictureSize size = with_short_side({result.height, result.width}, step.height);
      result = resize(result, size.width, size.height);
    } else if (step.kind == Kind::crop) {
      result = center_crop(result, step.height, step.width);
    } else if (step.kind == Kind::gray) {
      result = with_channels(std::move(result), 1);
    }
  }
  return result;
}

void to_floats(const Image& image, const Preprocess& preprocess, std::span<float> out) {
  TEMPER_CHECK(out.size() == image.pixels.size(), out.size());
  const auto channels = static_cast<size_t>(image.channels);
  std::array<size_t, 3> source = {0, 1, 2};  // of each output channel
  Affine affine;
  for (const PreprocessStep& step : preprocess.steps) {
    if (step.kind == Kind::bgr && channels == 3) {
      std::swap(source[0], source[2]);
      std::swap(affine.scale[0], affine.scale[2]);
      std::swap(affine.offset[0], affine.offset[2]);
    }
    for (size_t c = 0; c < channels; ++c) {
      if (step.kind == Kind::unit) affine.scale[c] /= 255, affine.offset[c] /= 255;
      if (step.kind == Kind::mean) affine.offset[c] -= value_for(step, c);
      if (step.kind == Kind::std)
        affine.scale[c] /= value_for(step, c), affine.offset[c] /= value_for(step, c);
    }
  }
  const size_t count = image.pixels.size() / channels;
  for (size_t c = 0; c < channels; ++c) {
    // There are only 256 values: each is computed once, in double.
    std::array<float, 256> table;
    for (size_t i = 0; i < 256; ++i)
      table[i] = static_cast<float>(static_cast<double>(i) * affine.scale[c] + affine.offset[c]);
    const uint8_t* from = image.pixels.data() + source[c];
    float* to = out.data() + c * count;
    for (size_t i = 0; i < count; ++i) to[i] = table[from[i * channels]];
  }
}

Tensor picture_to_tensor(const Image& image, const Preprocess& preprocess) {
  const Image scaled = scale(image, preprocess);
  Tensor tensor(Type{DType::f32, {scaled.channels, scaled.height, scaled.width}});
  to_floats(scaled, preprocess, tensor.mutable_values<float>());
  return tensor;
}

}  // namespace temper
