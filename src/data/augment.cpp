#include "data/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/check.h"
#include "base/text.h"
#include "data/pixels.h"
#include "data/resize.h"

namespace temper {
namespace {

constexpr uint64_t kStream = 0x61756d656e74;  // keeps these draws apart from other uses of the seed

// Which word of a sample's stream decides what; a crop draws four words for each try.
enum Word : uint64_t { kFlip, kAngle, kBrightness, kContrast, kSaturation, kCrop = 8 };

double uniform(PhiloxKey key, uint64_t word, double low, double high) {
  return low + (high - low) * static_cast<double>(unit_float(random_word(key, word)));
}

double parse_amount(std::string_view step, std::string_view value, double most) {
  double amount = 0;
  if (!parse_number(value, amount) || !(amount > 0) || amount > most) {
    throw Error(ErrorKind::invalid,
                concat("augment step '", step, "': expected a number above 0 and at most ", most, ", as in ",
                       step.substr(0, step.find(':')), ":", most == 1 ? 0.5 : 10));
  }
  return amount;
}

// As torchvision's RandomResizedCrop, but for the shape that keeps things as they are: that of the result if
// the picture is scaled evenly, that of the picture if it is stretched.
Box random_box(const Image& image, double aspect, double least_area, PhiloxKey key) {
  constexpr int kTries = 10;
  constexpr double kMostStretch = 4.0 / 3;
  const double width = image.width, height = image.height;
  for (uint64_t i = 0; i < kTries; ++i) {
    const uint64_t word = kCrop + 4 * i;
    const double area = width * height * uniform(key, word, least_area, 1);
    const double stretch = std::exp(uniform(key, word + 1, -std::log(kMostStretch), std::log(kMostStretch)));
    const double w = std::sqrt(area * aspect * stretch), h = area / w;
    if (w > width || h > height) continue;
    const double left = uniform(key, word + 2, 0, width - w), top = uniform(key, word + 3, 0, height - h);
    return {left, top, std::min(width, left + w), std::min(height, top + h)};
  }
  return {0, 0, width, height};
}

bool stretches(const Preprocess& preprocess) {
  return std::any_of(preprocess.steps.begin(), preprocess.steps.end(),
                     [](const PreprocessStep& step) { return step.kind == PreprocessStep::Kind::size; });
}

Image random_crop(const Image& image, const Preprocess& preprocess, double least_area, PhiloxKey key) {
  const PictureSize size = size_after(preprocess, {image.height, image.width});
  const double aspect = stretches(preprocess) ? static_cast<double>(image.width) / image.height
                                              : static_cast<double>(size.width) / size.height;
  const Box box = random_box(image, aspect, least_area, key);
  return with_channels(resize(image, size.width, size.height, Filter::bilinear, box),
                       channels(preprocess) == 1 ? 1 : image.channels);
}

// About the middle, bilinear; what lies outside takes the nearest edge.
Image rotated(const Image& image, double degrees) {
  const double angle = degrees * std::numbers::pi / 180, cosine = std::cos(angle), sine = std::sin(angle);
  const double middle_x = (image.width - 1) / 2.0, middle_y = (image.height - 1) / 2.0;
  Image out(image.width, image.height, image.channels);
  for (int y = 0; y < out.height; ++y) {
    uint8_t* to = out.row(y);
    for (int x = 0; x < out.width; ++x) {
      const double dx = x - middle_x, dy = y - middle_y;
      const double from_x = std::clamp(middle_x + cosine * dx + sine * dy, 0.0, image.width - 1.0);
      const double from_y = std::clamp(middle_y - sine * dx + cosine * dy, 0.0, image.height - 1.0);
      const int left = static_cast<int>(from_x), top = static_cast<int>(from_y);
      const int right = std::min(left + 1, image.width - 1), bottom = std::min(top + 1, image.height - 1);
      const double part_x = from_x - left, part_y = from_y - top;
      for (int c = 0; c < image.channels; ++c) {
        const auto at = [&](int column, int row) -> double {
          return image.row(row)[column * image.channels + c];
        };
        const double upper = at(left, top) + (at(right, top) - at(left, top)) * part_x;
        const double lower = at(left, bottom) + (at(right, bottom) - at(left, bottom)) * part_x;
        *to++ = static_cast<uint8_t>(std::lrint(upper + (lower - upper) * part_y));
      }
    }
  }
  return out;
}

uint8_t to_byte(double value) { return static_cast<uint8_t>(std::lrint(std::clamp(value, 0.0, 255.0))); }

double luma(const uint8_t* pixel, int channels) {
  return channels == 1 ? pixel[0] : 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
}

// In the order of torchvision's ColorJitter functions: brightness, contrast about the mean luma, saturation
// about the luma.
void jitter_color(Image& image, double amount, PhiloxKey key) {
  const double brightness = uniform(key, kBrightness, 1 - amount, 1 + amount);
  const double contrast = uniform(key, kContrast, 1 - amount, 1 + amount);
  const double saturation = uniform(key, kSaturation, 1 - amount, 1 + amount);
  std::array<uint8_t, 256> table;
  for (size_t i = 0; i < 256; ++i) table[i] = to_byte(static_cast<double>(i) * brightness);
  for (uint8_t& value : image.pixels) value = table[value];
  double sum = 0;
  const auto step = static_cast<size_t>(image.channels);
  for (size_t i = 0; i < image.pixels.size(); i += step) sum += luma(&image.pixels[i], image.channels);
  const double mean = std::round(sum * static_cast<double>(step) / static_cast<double>(image.pixels.size()));
  for (size_t i = 0; i < 256; ++i) table[i] = to_byte(mean + (static_cast<double>(i) - mean) * contrast);
  for (uint8_t& value : image.pixels) value = table[value];
  if (image.channels == 1) return;
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    const double gray = luma(&image.pixels[i], 3);
    for (size_t c = 0; c < 3; ++c)
      image.pixels[i + c] = to_byte(gray + (image.pixels[i + c] - gray) * saturation);
  }
}

}  // namespace

Augment parse_augment(std::string_view text) {
  Augment augment;
  if (trim(text).empty() || trim(text) == "none") return augment;
  for (std::string_view step : split(text, ',')) {
    step = trim(step);
    const size_t colon = step.find(':');
    const std::string_view name = step.substr(0, colon);
    const std::string_view value = colon == std::string_view::npos ? "" : step.substr(colon + 1);
    if (name == "flip" && colon == std::string_view::npos) {
      augment.flip = true;
    } else if (name == "crop") {
      augment.crop = parse_amount(step, value, 1);
    } else if (name == "rotate") {
      augment.rotate = parse_amount(step, value, 180);
    } else if (name == "color") {
      augment.color = parse_amount(step, value, 1);
    } else {
      const std::vector<std::string> names = {"flip", "crop", "rotate", "color"};
      const std::string near = closest(name, names);
      throw Error(
          ErrorKind::invalid,
          concat("augment step '", step, "': expected flip, crop:AREA, rotate:DEGREES or color:AMOUNT",
                 near.empty() || near == name ? "" : "; did you mean '" + near + "'?"));
    }
  }
  return augment;
}

std::string to_string(const Augment& augment) {
  std::vector<std::string> steps;
  if (augment.flip) steps.emplace_back("flip");
  if (augment.crop > 0) steps.push_back(concat("crop:", augment.crop));
  if (augment.rotate > 0) steps.push_back(concat("rotate:", augment.rotate));
  if (augment.color > 0) steps.push_back(concat("color:", augment.color));
  return join(steps, ",");
}

PhiloxKey sample_key(uint64_t seed, int64_t epoch, int64_t sample) {
  const PhiloxKey key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  return fold_in(fold_in(fold_in(key, kStream), static_cast<uint64_t>(epoch)), static_cast<uint64_t>(sample));
}

Image augmented(Image scaled, const Augment& augment, PhiloxKey key) {
  if (augment.rotate > 0) scaled = rotated(scaled, uniform(key, kAngle, -augment.rotate, augment.rotate));
  if (augment.flip && random_word(key, kFlip) >> 31) scaled = flipped(scaled);
  if (augment.color > 0) jitter_color(scaled, augment.color, key);
  return scaled;
}

Image scale_and_augment(const Image& image, const Preprocess& preprocess, const Augment& augment,
                        PhiloxKey key) {
  Image scaled =
      augment.crop > 0 ? random_crop(image, preprocess, augment.crop, key) : scale(image, preprocess);
  return augmented(std::move(scaled), augment, key);
}

}  // namespace temper
