#pragma once
// What both kinds of kernel for contractions on integers share: constants of their own, and what follows the
// sums.
#include "devices/cpu/follows.h"

namespace temper::cpu {

// At each point a kernel holds t = y / unit + offset, so that scales and zero points of what is added and of
// the result mostly cost nothing: the first one is folded into the weights' scales and the bias.
struct Affine {
  double unit = 1, offset = 0;
  friend bool operator==(const Affine&, const Affine&) = default;
};

struct Follows {
  explicit Follows(const Fusion& fusion);
  Affine first;  // of the sums
  std::vector<Follow> steps;
};

struct Factors {
  Value weights;
  size_t channel_axis = 0;  // of the weights
  Quantised x;
  std::optional<std::vector<float>> bias = {};
};

// Weights of constant integers, around 0.
Tensor integers_around_zero(const Graph& graph, Value weights);

// t = sum of q w times scale, plus bias; by output channel.
struct Numbers {
  std::vector<float> scales, bias;
};
// `folds`: the bias holds what x's zero point brings, so that sums are of q as it is, at the edges, too.
Numbers numbers_of(const Graph& graph, const Factors& factors, const Tensor& weights, const Affine& first,
                   bool folds);

// Through oneDNN, where the processor adds up products of bytes in 32 bits.
std::unique_ptr<Kernel> make_onednn_integers(const KernelRequest& request, const Fusion& fusion,
                                             const Factors& factors);
// By own products of bytes widened to 16 bits, anywhere.
std::unique_ptr<Kernel> make_integer_products(const KernelRequest& request, const Fusion& fusion,
                                              const Factors& factors);

}  // namespace temper::cpu
