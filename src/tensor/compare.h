#pragma once
// How far two host tensors are apart. NaN equals NaN, an infinity equals itself.
#include <cstdint>
#include <string>

#include "temper/tensor.h"

namespace temper {

struct Difference {
  double max_abs = 0;   // infinite if a NaN or an infinity meets another value
  double max_rel = 0;   // |a - b| / max(|a|, |b|)
  int64_t at = -1;      // flat index of max_abs; -1 if all are equal
  double a = 0, b = 0;  // the values there
};

Difference difference(const Tensor& a, const Tensor& b);  // of the same shape

// Same type, and |a - b| <= atol + rtol * |b| for every element. If not, *why (may be null) says where and by
// how much.
bool close(const Tensor& a, const Tensor& b, double rtol, double atol, std::string* why = nullptr);

}  // namespace temper
