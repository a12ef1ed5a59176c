#pragma once
// Contractions of dequantised operands, which run on the integers themselves: (x - zero) scale is never made.
#include <optional>

#include "devices/cpu/kernel.h"

namespace temper::cpu {

// One constant scale and zero point of 8-bit integers: y = (q - zero) scale.
struct Scaling {
  DType dtype = DType::u8;
  float scale = 1;
  int32_t zero = 0;
  friend bool operator==(const Scaling&, const Scaling&) = default;
};
std::optional<Scaling> scaling_of(const Graph& graph, const Node& node);  // of a quantize or dequantize

// What a dequantize with a Scaling reads; none if `value` is something else.
struct Quantised {
  Value integers;
  Scaling scaling;
};
std::optional<Quantised> quantised(const Graph& graph, Value value);

// The floats of a constant, dequantised or not; none if `value` is something else.
std::optional<std::vector<float>> constant_floats(const Graph& graph, Value value);

// Whether a kernel on integers computes this conv2d or dot_general: x is quantised, the weights are constant
// integers with a scale for each output channel (or one for all), and few enough for sums of 32 bits.
bool runs_on_integers(const Graph& graph, const Node& contraction);

// x and what is added lie channels-last around a convolution, row-major around a matrix product.
std::unique_ptr<Kernel> make_integer_contraction(const KernelRequest& request);

}  // namespace temper::cpu
