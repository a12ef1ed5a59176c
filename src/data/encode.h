#pragma once
// Pictures to bytes.
#include <string>

#include "data/image.h"

namespace temper {

// A baseline JPEG; channels 1 or 3, not empty; quality 1 to 100.
std::string encode_jpeg(const Image& image, int quality);

}  // namespace temper
