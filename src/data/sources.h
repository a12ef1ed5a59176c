#pragma once
// Where samples are read from.
#include <string>
#include <vector>

#include "data/dataset.h"
#include "temper/tensor.h"

namespace temper {

class PictureFiles : public SampleSource {
 public:
  explicit PictureFiles(std::vector<std::string> files) : files_(std::move(files)) {}
  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  std::string name(int64_t row) const override { return files_[static_cast<size_t>(row)]; }
  bool has_pictures() const override { return true; }
  Image picture(int64_t row, int channels, int min_short_side) const override;

 private:
  std::vector<std::string> files_;
};

// pixels: u8[n, height, width] or u8[n, height, width, 1 or 3]
class PictureArray : public SampleSource {
 public:
  PictureArray(std::string file, Tensor pixels) : file_(std::move(file)), pixels_(std::move(pixels)) {}
  static bool fits(const Type& type);
  int64_t size() const override { return pixels_.shape().size(0); }
  std::string name(int64_t row) const override;
  bool has_pictures() const override { return true; }
  Image picture(int64_t row, int channels, int min_short_side) const override;
  int picture_channels() const override;

 private:
  std::string file_;
  Tensor pixels_;
};

// values: f32[n, ...]
class ValueArray : public SampleSource {
 public:
  ValueArray(std::string file, Tensor values) : file_(std::move(file)), values_(std::move(values)) {}
  int64_t size() const override { return values_.shape().size(0); }
  std::string name(int64_t row) const override;
  bool has_pictures() const override { return false; }
  Shape value_shape() const override;
  void values(int64_t row, std::span<float> out) const override;

 private:
  std::string file_;
  Tensor values_;
};

// Pictures if the array can hold such, else values. Error invalid naming the file if it has no rows.
std::shared_ptr<const SampleSource> source_of(const std::string& file, Tensor array);

}  // namespace temper
