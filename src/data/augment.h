#pragma once
// Random changes to training pictures. Each is drawn from a key, so that a sample of an epoch is changed the
// same way on any number of threads.
#include <string>
#include <string_view>

#include "base/philox.h"
#include "data/image.h"
#include "data/preprocess.h"

namespace temper {

struct Augment {
  bool flip = false;  // left and right, every other time
  double crop = 0;    // keep a random part of at least this share of the area, scaled to the whole; 0: off
  double rotate = 0;  // by up to so many degrees either way; 0: off
  double color = 0;   // brightness, contrast and saturation times 1 +- this; 0: off
  bool any() const { return flip || crop > 0 || rotate > 0 || color > 0; }
};

Augment parse_augment(
    std::string_view text);  // "flip,crop:0.7,rotate:10,color:0.2"; Error invalid names the step
std::string to_string(const Augment& augment);

// The key of a sample's changes.
PhiloxKey sample_key(uint64_t seed, int64_t epoch, int64_t sample);

// The changes of a picture that went through `scale`: all but crop.
Image augmented(Image scaled, const Augment& augment, PhiloxKey key);

// `scale` of preprocess with all changes; the result has the size that `scale` would give.
Image scale_and_augment(const Image& image, const Preprocess& preprocess, const Augment& augment,
                        PhiloxKey key);

}  // namespace temper
