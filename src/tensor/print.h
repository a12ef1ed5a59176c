#pragma once
// A tensor for human eyes.
#include <string>

#include "temper/tensor.h"

namespace temper {

// "f32[2, 3] [[1, 2, 3], [4, 5, 6]]"; of a longer axis only the first and last `edge` entries, "..." between.
std::string to_string(const Tensor& tensor, int edge = 3);

}  // namespace temper
