#pragma once
// Products of 8-bit integers whose sums of 32 bits are exact, and what follows them.
#include <cstdint>

namespace temper::cpu {

// One change of what a sum has become.
struct IntegerStep {
  enum Kind { linear, clip, round, sigmoid, tanh, gelu, gelu_tanh, add_u8, add_i8, add_f32 } kind;
  float a, b;  // linear: a t + b; clip, round: to numbers, integers from a to b
  const void* operand;
};

// t = sum scales + bias, then the steps, rounded to the nearest (even) and held within the type's range.
struct IntegerResult {
  enum Kind { u8, i8, f32 } kind;
  const float *scales, *bias;  // of the columns computed
  const IntegerStep* steps;
  int64_t step_count;
  void* y;
  int64_t first, row;  // of y and all operands: the first element, and how far rows are apart
};

// Columns of weights that lie together, four steps of depth at a time: as bytes where no sum of two products
// can leave 16 bits, whatever x is, else widened. Columns that do not exist are 0.
struct IntegerPanel {
  int64_t vectors;         // of columns, at most kMostVectors: a panel's width
  const int8_t* quads;     // [quad_count][width][4]
  const int32_t* quad_at;  // which bytes of a row they multiply
  const int16_t* wides;    // [wide_count][2][width][2]: bytes 0 and 2, then 1 and 3
  const int32_t* wide_at;
  int64_t quad_count, wide_count;
};

inline constexpr int64_t kMostVectors = 3;

// a: [rows][a_row]
struct IntegerProduct {
  const uint8_t* a;
  int64_t a_row;
  IntegerPanel panel;
  int64_t rows, columns;
  IntegerResult result;
};
inline constexpr int64_t kMostDepth = 65'536;  // beyond it sums of 32 bits could overflow

// Places of a depthwise convolution that follow each other in a line: sum over taps of
// taps[k][place * steps[k] + c] weights[k / 2][c][k % 2].
template <class Byte>  // uint8_t, int8_t
struct IntegerTaps {
  const Byte* const* taps;
  const int64_t* steps;
  int64_t pairs, places;
  const int16_t* weights;  // [pairs][weight_row][2]
  int64_t weight_row;      // channels, filled up to a multiple of kIntegerChannels
  int64_t channels;
  IntegerResult result;
};
inline constexpr int64_t kIntegerChannels = 16, kMostIntegerPairs = 128;

struct IntegerFunctions {
  int64_t lanes;  // columns of a vector
  bool quads;     // whether bytes can be multiplied as they are
  void (*multiply)(const IntegerProduct& product);
  void (*taps_u8)(const IntegerTaps<uint8_t>& taps);
  void (*taps_i8)(const IntegerTaps<int8_t>& taps);
};
const IntegerFunctions& integer_functions();

}  // namespace temper::cpu
