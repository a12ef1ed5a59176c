#include "data/resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"
#include "data/decoders.h"
#include "data/pixels.h"
#include "data/resize_passes.h"

namespace temper {
namespace {

struct Kernel {
  double (*weight)(double x);
  double support;  // weight is 0 beyond
};

double box_weight(double x) { return x > -0.5 && x <= 0.5 ? 1 : 0; }

double bilinear_weight(double x) { return std::max(0.0, 1 - std::fabs(x)); }

// Keys: "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2.
double bicubic_weight(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double sinc(double x) { return x == 0 ? 1 : std::sin(x * std::numbers::pi) / (x * std::numbers::pi); }

double lanczos_weight(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

Kernel kernel_of(Filter filter) {
  switch (filter) {
    case Filter::box:
      return {box_weight, 0.5};
    case Filter::bilinear:
      return {bilinear_weight, 1};
    case Filter::bicubic:
      return {bicubic_weight, 2};
    case Filter::lanczos:
      return {lanczos_weight, 3};
    case Filter::nearest:
      break;
  }
  TEMPER_CHECK(false);
}

int nearest_whole(double x) { return static_cast<int>(std::floor(x + 0.5)); }

Taps make_taps(int input, double begin, double end, int output, const Kernel& kernel) {
  const double scale = (end - begin) / output;
  const double stretch = std::max(scale, 1.0);  // when shrinking, the filter covers as many more pixels
  const double support = kernel.support * stretch;
  Taps taps;
  taps.width = static_cast<int>(std::ceil(support)) * 2 + 1;
  taps.first.resize(static_cast<size_t>(output));
  taps.count.resize(static_cast<size_t>(output));
  taps.weights.resize(static_cast<size_t>(output) * static_cast<size_t>(taps.width));
  std::vector<double> exact(static_cast<size_t>(taps.width));
  const double per_stretch = 1 / stretch;
  for (int i = 0; i < output; ++i) {
    const double center = begin + (i + 0.5) * scale;
    const int first = std::max(0, nearest_whole(center - support));
    const int count = std::min(input, nearest_whole(center + support)) - first;
    double sum = 0;
    for (int k = 0; k < count; ++k) {
      exact[static_cast<size_t>(k)] = kernel.weight((k + first - center + 0.5) * per_stretch);
      sum += exact[static_cast<size_t>(k)];
    }
    taps.first[static_cast<size_t>(i)] = first;
    taps.count[static_cast<size_t>(i)] = count;
    int32_t* weights = &taps.weights[static_cast<size_t>(i) * static_cast<size_t>(taps.width)];
    for (int k = 0; k < count; ++k) {
      const double share = sum != 0 ? exact[static_cast<size_t>(k)] / sum : exact[static_cast<size_t>(k)];
      weights[k] = static_cast<int32_t>(share * (1 << kResizePrecision) + (share < 0 ? -0.5 : 0.5));
    }
  }
  return taps;
}

// Input positions of the middles of output pixels, added up as Pillow does.
std::vector<int> nearest_positions(int input, double begin, double end, int output) {
  const double scale = (end - begin) / output;
  std::vector<int> positions;
  double at = begin + scale * 0.5;
  for (int i = 0; i < output; ++i, at += scale)
    positions.push_back(std::min(static_cast<int>(at), input - 1));
  return positions;
}

Image pick_nearest(const Image& image, int width, int height, const Box& box) {
  const std::vector<int> columns = nearest_positions(image.width, box.left, box.right, width);
  const std::vector<int> rows = nearest_positions(image.height, box.top, box.bottom, height);
  const auto channels = static_cast<size_t>(image.channels);
  Image out(width, height, image.channels);
  uint8_t* to = out.pixels.data();
  for (const int y : rows) {
    for (const int x : columns)
      to = std::copy_n(image.row(y) + static_cast<size_t>(x) * channels, channels, to);
  }
  return out;
}

}  // namespace

Image resize(const Image& image, int width, int height, Filter filter) {
  return resize(image, width, height, filter,
                Box{0, 0, static_cast<double>(image.width), static_cast<double>(image.height)});
}

Image resize(const Image& image, int width, int height, Filter filter, const Box& box) {
  TEMPER_CHECK(width > 0 && height > 0 && (image.channels == 1 || image.channels == 3), width, " x ", height);
  TEMPER_CHECK(box.left >= 0 && box.top >= 0 && box.left < box.right && box.top < box.bottom &&
               box.right <= image.width && box.bottom <= image.height);
  if (int64_t{width} * height > kMaxPixels) {
    throw Error(ErrorKind::invalid,
                concat("a picture of ", image.width, " x ", image.height, " pixels would be scaled to ",
                       width, " x ", height, "; at most ", kMaxPixels, " pixels are made"));
  }
  const bool same_x = box.left == 0 && box.right == image.width && width == image.width;
  const bool same_y = box.top == 0 && box.bottom == image.height && height == image.height;
  if (same_x && same_y) return image;
  if (filter == Filter::nearest) return pick_nearest(image, width, height, box);
  const Kernel kernel = kernel_of(filter);
  if (same_y)
    return scale_rows(image, 0, image.height, width,
                      make_taps(image.width, box.left, box.right, width, kernel));
  const Taps down = make_taps(image.height, box.top, box.bottom, height, kernel);
  if (same_x) return scale_columns(image, 0, height, down);
  // Only the rows that the second pass reads.
  const int first = down.first.front(), rows = down.first.back() + down.count.back() - first;
  const Taps across = make_taps(image.width, box.left, box.right, width, kernel);
  return scale_columns(scale_rows(image, first, rows, width, across), first, height, down);
}

}  // namespace temper
