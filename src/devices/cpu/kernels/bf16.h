#pragma once
// bf16 as kernels that come in two widths of memory see it: an element type beside float.
#include "temper/tensor.h"

namespace temper::cpu {

struct Bf16 {
  uint16_t bits;
};

extern const bool kHasBf16;  // whether this processor rounds to bf16 and multiplies it

inline float number(const float* p) { return *p; }
inline float number(const Bf16* p) { return bf16_to_f32(p->bits); }
inline void put(float value, float* p) { *p = value; }
inline void put(float value, Bf16* p) { p->bits = f32_to_bf16(value); }

// Calls function(float()) or function(Bf16()).
template <class Function>
auto with_width(DType dtype, Function function) {
  return dtype == DType::bf16 ? function(Bf16()) : function(float());
}

}  // namespace temper::cpu
