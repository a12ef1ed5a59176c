#include "data/sources.h"

#include <algorithm>
#include <filesystem>

#include "base/check.h"
#include "data/decode.h"
#include "data/pixels.h"

namespace temper {
namespace {

std::string row_name(const std::string& file, int64_t row) {
  return concat(std::filesystem::path(file).filename().native(), "#", row);
}

}  // namespace

Image SampleSource::picture(int64_t, int, int) const { TEMPER_CHECK(false, "these samples are no pictures"); }
Shape SampleSource::value_shape() const { TEMPER_CHECK(false, "these samples are pictures"); }
void SampleSource::values(int64_t, std::span<float>) const {
  TEMPER_CHECK(false, "these samples are pictures");
}

Image PictureFiles::picture(int64_t row, int channels, int min_short_side) const {
  return read_image(files_[static_cast<size_t>(row)],
                    {.channels = channels, .min_short_side = min_short_side});
}

bool PictureArray::fits(const Type& type) {
  constexpr int64_t kLongest = 1 << 15;
  const Shape& shape = type.shape;
  if (type.dtype != DType::u8 || shape.rank() < 3 || shape.rank() > 4) return false;
  if (shape.size(1) < 1 || shape.size(2) < 1 || shape.size(1) > kLongest || shape.size(2) > kLongest)
    return false;
  return shape.rank() == 3 || shape.size(3) == 1 || shape.size(3) == 3;
}

std::string PictureArray::name(int64_t row) const { return row_name(file_, row); }

int PictureArray::picture_channels() const {
  return pixels_.shape().rank() == 4 ? static_cast<int>(pixels_.shape().size(3)) : 1;
}

Image PictureArray::picture(int64_t row, int channels, int) const {
  const Shape& shape = pixels_.shape();
  Image image(static_cast<int>(shape.size(2)), static_cast<int>(shape.size(1)), picture_channels());
  const std::span<const uint8_t> pixels = pixels_.values<uint8_t>();
  std::copy_n(pixels.begin() + row * static_cast<int64_t>(image.pixels.size()), image.pixels.size(),
              image.pixels.begin());
  return with_channels(std::move(image), channels);
}

std::string ValueArray::name(int64_t row) const { return row_name(file_, row); }

Shape ValueArray::value_shape() const {
  return Shape(std::vector<Dim>(values_.shape().begin() + 1, values_.shape().end()));
}

void ValueArray::values(int64_t row, std::span<float> out) const {
  std::copy_n(values_.values<float>().begin() + row * static_cast<int64_t>(out.size()), out.size(),
              out.begin());
}

std::shared_ptr<const SampleSource> source_of(const std::string& file, Tensor array) {
  if (array.shape().rank() < 2 || array.elements() == 0) {
    throw Error(ErrorKind::invalid,
                concat(file, ": expected samples along the first of at least two axes, found ",
                       to_string(array.type())))
        .in_file(file);
  }
  if (PictureArray::fits(array.type())) return std::make_shared<PictureArray>(file, std::move(array));
  if (array.dtype() == DType::f32) return std::make_shared<ValueArray>(file, std::move(array));
  return std::make_shared<ValueArray>(file, from_doubles(Type{DType::f32, array.shape()}, to_doubles(array)));
}

}  // namespace temper
