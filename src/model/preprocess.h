#pragma once
// How a picture becomes a model's input: the language of --preprocess, which is also kept in model files.
//
//   size:HxW    scale to H rows of W pixels
//   short:N     scale the short side to N
//   crop:N      the middle N x N; crop:HxW
//   gray, bgr   the channels; without, red, green, blue
//   unit        divide by 255
//   mean:a/b/c  subtract: one number for all channels, or one for each
//   std:a/b/c   divide by
//
// Steps are applied in the order written, to pixels of 0 to 255; scaling is antialiased bilinear.
#include <string>
#include <string_view>
#include <vector>

namespace temper {

struct PreprocessStep {
  enum class Kind { size, short_side, crop, gray, bgr, unit, mean, std };
  Kind kind;
  int height = 0, width = 0;  // size and crop; short_side has its length in both
  std::vector<float> values;  // mean and std: one, or one per channel
  friend bool operator==(const PreprocessStep&, const PreprocessStep&) = default;
};

struct Preprocess {
  std::vector<PreprocessStep> steps;
  friend bool operator==(const Preprocess&, const Preprocess&) = default;
};

int channels(const Preprocess& preprocess);  // 1 with `gray`, else 3

// `text`: steps separated by commas, or a preset: torch, tf, caffe, raw, for an input of height x width
// pixels (0 if the model leaves them free: then a preset but raw is refused). Throws Error invalid naming the
// step.
Preprocess parse_preprocess(std::string_view text, int height, int width);

std::string to_string(const Preprocess& preprocess);  // steps that parse to the same

}  // namespace temper
