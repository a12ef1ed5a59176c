#include "data/preprocess.h"

#include <immintrin.h>

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

Image scale(Image image, const Preprocess& preprocess) {
  for (const PreprocessStep& step : preprocess.steps) {
    if (step.kind == Kind::size) {
      image = resize(image, step.width, step.height);
    } else if (step.kind == Kind::short_side) {
      const PictureSize size = with_short_side({image.height, image.width}, step.height);
      image = resize(image, size.width, size.height);
    } else if (step.kind == Kind::crop) {
      image = center_crop(image, step.height, step.width);
    } else if (step.kind == Kind::gray) {
      image = with_channels(std::move(image), 1);
    }
  }
  return image;
}

PixelValues::PixelValues(const Preprocess& preprocess, int channels)
    : tables_(static_cast<size_t>(channels)) {
  Affine affine;
  for (const PreprocessStep& step : preprocess.steps) {
    if (step.kind == Kind::bgr && channels == 3) {
      std::swap(source_[0], source_[2]);
      std::swap(affine.scale[0], affine.scale[2]);
      std::swap(affine.offset[0], affine.offset[2]);
    }
    for (size_t c = 0; c < tables_.size(); ++c) {
      if (step.kind == Kind::unit) affine.scale[c] /= 255, affine.offset[c] /= 255;
      if (step.kind == Kind::mean) affine.offset[c] -= value_for(step, c);
      if (step.kind == Kind::std)
        affine.scale[c] /= value_for(step, c), affine.offset[c] /= value_for(step, c);
    }
  }
  for (size_t c = 0; c < tables_.size(); ++c) {
    for (size_t i = 0; i < 256; ++i)
      tables_[c][i] = static_cast<float>(static_cast<double>(i) * affine.scale[c] + affine.offset[c]);
  }
  scale_ = affine.scale[0], offset_ = affine.offset[0];
}

// What a table holds, eight at a time; returns how many.
__attribute__((target("avx2"))) static size_t compute_values(std::span<const uint8_t> pixels, double scale,
                                                             double offset, float* to) {
  const __m256d factor = _mm256_set1_pd(scale), term = _mm256_set1_pd(offset);
  const auto four = [&](__m128i numbers) __attribute__((target("avx2"))) {
    return _mm256_cvtpd_ps(_mm256_add_pd(_mm256_mul_pd(_mm256_cvtepi32_pd(numbers), factor), term));
  };
  size_t i = 0;
  for (; i + 8 <= pixels.size(); i += 8) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(&pixels[i]));
    _mm_storeu_ps(to + i, four(_mm_cvtepu8_epi32(bytes)));
    _mm_storeu_ps(to + i + 4, four(_mm_cvtepu8_epi32(_mm_srli_si128(bytes, 4))));
  }
  return i;
}

void PixelValues::operator()(std::span<const uint8_t> pixels, std::span<float> out) const {
  TEMPER_CHECK(out.size() == pixels.size(), out.size());
  const size_t channels = tables_.size(), count = pixels.size() / channels;
  for (size_t c = 0; c < channels; ++c) {
    const std::array<float, 256>& table = tables_[c];
    const uint8_t* from = pixels.data() + source_[c];
    float* to = out.data() + c * count;
    size_t i =
        channels == 1 && __builtin_cpu_supports("avx2") ? compute_values(pixels, scale_, offset_, to) : 0;
    for (; i < count; ++i) to[i] = table[from[i * channels]];
  }
}

Tensor picture_to_tensor(const Image& image, const Preprocess& preprocess) {
  const Image scaled = scale(image, preprocess);
  Tensor tensor(Type{DType::f32, {scaled.channels, scaled.height, scaled.width}});
  PixelValues(preprocess, scaled.channels)(scaled.pixels, tensor.mutable_values<float>());
  return tensor;
}

}  // namespace temper
