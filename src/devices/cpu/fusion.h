#pragma once
// What may follow a contraction inside its own kernel: a bias, activations, sums.
#include "devices/cpu/integers.h"

namespace temper::cpu {

struct PostOp {
  enum Kind { relu, clip, sigmoid, tanh, gelu, gelu_tanh, scale, add, round } kind;
  bool is_curve() const { return kind == sigmoid || kind == tanh || kind == gelu || kind == gelu_tanh; }
  double low = 0, high = 0;  // clip
  double factor = 1;         // scale
  Value operand;             // add: of the result's type, or
  // In a contraction on integers. add: the operand's, of the result's shape; round: to integers of that range
  // and back.
  std::optional<Scaling> scaling = {};
};

struct Fusion {
  int node = -1;          // the contraction
  bool integers = false;  // runs_on_integers
  Value bias;             // one value per channel; none: no bias
  std::vector<PostOp> posts;
  std::optional<Scaling> quantised;  // the result, of a contraction on integers
  Value result;                      // of the last node
};

bool is_contraction(const Node& node);  // dot_general, conv_general, conv2d and its gradients

// The contraction with every map after it that one kernel can take in: those whose operand is read nowhere
// else. `users` as by temper::users; `is_output[node]` marks nodes whose values leave the graph,
// `taken[node]` those of other clusters.
Cluster grow_cluster(const Graph& graph, const std::vector<std::vector<int>>& users,
                     const std::vector<bool>& is_output, const std::vector<bool>& taken, int node);

// What a convolution reads for its weights. bf16 ones that are cast from f32 it casts itself, while it puts
// them into the layout of its kernel.
Value weights_of(const Graph& graph, const Node& convolution);

Fusion read_fusion(const Graph& graph, const Cluster& cluster);  // of a cluster that has one contraction
// Each contraction of a cluster with what follows it: one, or two (see expansion.h).
std::vector<Cluster> contractions_in(const Graph& graph, const Cluster& cluster);
std::vector<Value> inputs_of(const Graph& graph, const Fusion& fusion);  // each once

}  // namespace temper::cpu
