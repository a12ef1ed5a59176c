#pragma once
// What follows the sums of a product inside its own kernel.
#include <cstdint>

namespace temper::cpu {

// One change of what a sum has become.
struct FollowStep {
  enum Kind { linear, clip, round, sigmoid, tanh, gelu, gelu_tanh, add_u8, add_i8, add_f32 } kind;
  float a, b;  // linear: a t + b; clip, round: to numbers, integers from a to b
  const void* operand;
};

// t = sum scales + bias, then the steps; bytes are rounded to the nearest (even) and held within their range.
struct FollowResult {
  enum Kind { u8, i8, f32 } kind;
  const float *scales, *bias;  // of the columns computed
  const FollowStep* steps;
  int64_t step_count;
  void* y;
  int64_t first, row;  // of y and all operands: the first element, and how far rows are apart
};

// In place, where y holds sums that are not scaled: y = steps(y + bias); no bias: null. Only f32.
void follow_rows(const FollowResult& result, int64_t rows, int64_t columns);

}  // namespace temper::cpu
