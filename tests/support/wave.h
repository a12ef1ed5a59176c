#pragma once
// Inputs by a formula that the scripts beside the tests share.
#include <cmath>
#include <vector>

#include "temper/tensor.h"

namespace temper {

// sin(0.7 i + phase) for element i in row-major order.
inline Tensor wave(const Type& type, double phase) {
  std::vector<double> values(static_cast<size_t>(type.shape.elements()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(0.7 * static_cast<double>(i) + phase);
  return from_doubles(type, values);
}

}  // namespace temper
