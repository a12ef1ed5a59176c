#pragma once
// Convolutions of 3 x 3 windows and their gradients by F(4x4, 3x3): a quarter of the multiplications.
#include "devices/cpu/convolution.h"

namespace temper::cpu {

// Whether this processor multiplies pairs of bf16; with whole tiles of them (AMX) direct kernels are far
// faster.
bool winograd_takes_bf16();

// Whether the arithmetic saved is worth the transforms; from shapes alone. transformed: weights need none.
bool winograd_pays(const Convolution& convolution, bool transformed = false);

// The layout of weights these kernels read and write: [rows, columns, in, out]. Forward ones in f32 also take
// kTransformed, which make_transform_weights makes of it.
int64_t winograd_weight_layout();
int64_t transformed_bytes(const Shape& weights);  // [out, in, 3, 3]
std::unique_ptr<Kernel> make_transform_weights(const Shape& weights);

// Whether transformed weights would serve a convolution of the graph, with all that its cluster computes.
bool winograd_takes_transformed(const Graph& graph, const Cluster& cluster);

// Null if it does not pay, the weights lie otherwise, or the fusion holds what these kernels do not do.
std::unique_ptr<Kernel> make_winograd(const KernelRequest& request, const Convolution& convolution);

}  // namespace temper::cpu
