#pragma once
// Chooses the layout of every Value of a legal graph.
#include "devices/cpu/clusters.h"

namespace temper::cpu {

// Activations that touch a convolution lie channels-last, weights as their forward kernel likes them; maps
// and donated pairs pass a layout on. The rest is row-major.
class Layouts {
 public:
  // What was decided before, if anything was.
  struct Known {
    std::span<const Argument> inputs = {}, outputs = {};  // of the graph
    // Whether weights that only convolutions read may lie in blocks filled up with zeros; or transformed.
    bool may_fill = true, may_transform = false;
  };
  Layouts(const Graph& graph, std::span<const Cluster> clusters, std::span<const Operands> operands,
          int threads, const Known& known);
  int64_t of(Value value) const { return layout_[index(value)]; }

 private:
  size_t index(Value value) const {
    return static_cast<size_t>(first_[static_cast<size_t>(value.node)]) + static_cast<size_t>(value.index);
  }

  std::vector<int> first_;  // by node: position of its first value
  std::vector<int64_t> layout_;
};

// The layouts a cluster of kernels/ is given, following what it accepts.
int64_t cluster_layout(const Graph& graph, const Cluster& cluster, const Operands& operands,
                       const Layouts& layouts);
// Of one operand, if the cluster's is `chosen`.
int64_t operand_layout(const Graph& graph, const Operands& operands, Value value, int64_t chosen);

}  // namespace temper::cpu
