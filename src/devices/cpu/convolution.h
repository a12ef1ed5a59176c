#pragma once
// Convolutions and their gradients through oneDNN.
#include "devices/cpu/kernel.h"

namespace temper::cpu {

// One convolution y = x * w, whichever of the three is the result.
struct Convolution {
  DType dtype;             // of what is multiplied
  DType gradient = dtype;  // of w where w is the result
  Shape x, w, y;           // [n, c, spatial...], [o, c / groups, spatial...], [n, o, spatial...]
  Ints strides, low, high, dilations;
  int64_t groups = 1;
};

// None if the node is no convolution that oneDNN could express.
std::optional<Convolution> convolution_of(const Graph& graph, const Node& node);

// The layout of the weights that the forward kernel likes best; kRowMajor if it is none that can be named, or
// one that fills blocks with zeros and must not.
int64_t best_weight_layout(const Convolution& convolution, int threads, bool may_fill);

// The layout in which the kernel of the weights' gradient writes it in f32; as above.
int64_t best_gradient_layout(const Convolution& convolution, int threads);

// Null if oneDNN has no kernel for it. x and y lie channels-last, w in any layout. With `deterministic`,
// weight gradients are sums of a fixed number of parts, whatever the number of threads.
std::unique_ptr<Kernel> make_convolution(const KernelRequest& request, bool deterministic);

}  // namespace temper::cpu
