#pragma once
// Contractions by plain loops, for what oneDNN does not take: f64, integers, dilated inputs, negative
// padding.
#include "devices/cpu/kernel.h"

namespace temper::cpu {

bool contracts(DType dtype);  // whole-byte numbers, f8 aside

// Everything row-major. Sums in double (f64, f32), float (f16, bf16) or modulo 2^64 (integers).
std::unique_ptr<Kernel> make_contraction(const KernelRequest& request);

}  // namespace temper::cpu
