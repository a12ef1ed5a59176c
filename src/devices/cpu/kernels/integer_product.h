#pragma once
// Products of 8-bit integers whose sums of 32 bits are exact, and what follows them.
#include "devices/cpu/kernels/follow.h"

namespace temper::cpu {

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
  FollowResult result;
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
  FollowResult result;
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
