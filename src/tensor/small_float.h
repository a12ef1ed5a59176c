#pragma once
// Floats of 4, 8 and 16 bits: between bits and double, rounded once to nearest even.
#include <cstdint>

#include "temper/dtype.h"

namespace temper {

// How codes without the sign bit are laid out. Sources: IEEE 754-2019; "FP8 formats for deep learning" (arXiv
// 2209.05433) for fn; "8-bit numerical formats for deep neural networks" (arXiv 2206.02915) for fnuz; OCP
// MX 1.0 for f4e2m1, f8e8m0.
struct SmallFloat {
  int bits, mantissa_bits, bias;
  uint32_t largest;  // code of the largest finite value
  bool infinities;   // the code after `largest` is infinity, and overflow goes there; else overflow saturates
  bool unsigned_zero;  // fnuz: the sign bit alone is NaN
  uint32_t nan;        // code of the NaN that is written; 0: the type has none
};

const SmallFloat& small_float(DType dtype);  // f4e2m1 .. bf16 but f8e8m0

// dtype: f4e2m1 .. bf16. What has no NaN writes it as its largest value; f8e8m0 has no sign (a negative is
// NaN there) and no zero (2^-127 instead).
double decode_small(DType dtype, uint32_t code);
uint32_t encode_small(DType dtype, double value);

}  // namespace temper
