#pragma once
// What the convolution kernels share: a Convolution in oneDNN's terms.
#include <array>

#include "devices/cpu/convolution.h"
#include "devices/cpu/onednn.h"

namespace temper::cpu {

struct ConvolutionShapes {
  explicit ConvolutionShapes(const Convolution& convolution);

  Descriptor x, any_w, y;  // weights in whatever layout a kernel likes
  dnnl::memory::dims strides, low, high, dilations;
  int64_t groups;
};

// `bias` may be a zero descriptor. Empty if oneDNN has no kernel.
dnnl::convolution_forward::primitive_desc forward_description(const ConvolutionShapes& shapes,
                                                              const Descriptor& bias,
                                                              const dnnl::primitive_attr& attributes);

// The weights as they lie in `layout`, with an axis for the groups if there are several.
Descriptor weights_in_memory(const Convolution& convolution, DType dtype, int64_t layout);

// Whether own loops compute the gradient of its input.
bool is_strided_depthwise(const Convolution& convolution);
// weights: as they lie in `weights_buffer`. buffers: dy, dx, scratch.
std::unique_ptr<Kernel> make_depthwise_gradient(const Convolution& convolution, const Descriptor& weights,
                                                int weights_buffer, std::array<int, 3> buffers);

std::unique_ptr<Kernel> make_weight_gradient(const KernelRequest& request, const Convolution& convolution,
                                             bool deterministic);

}  // namespace temper::cpu
