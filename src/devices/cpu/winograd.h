#pragma once
// Convolutions of 3 x 3 windows and their gradients by F(4x4, 3x3): a quarter of the multiplications.
#include "devices/cpu/convolution.h"

namespace temper::cpu {

// Whether this processor multiplies pairs of bf16; with whole tiles of them (AMX) direct kernels are far
// faster.
bool winograd_takes_bf16();

// Whether the arithmetic saved is worth the transforms; from shapes alone.
bool winograd_pays(const Convolution& convolution);

// The layout of weights these kernels read and write: [rows, columns, in, out].
int64_t winograd_weight_layout();

// Null if it does not pay, the weights lie otherwise, or the fusion holds what these kernels do not do.
std::unique_ptr<Kernel> make_winograd(const KernelRequest& request, const Convolution& convolution);

}  // namespace temper::cpu
