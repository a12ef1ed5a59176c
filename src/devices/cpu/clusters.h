#pragma once
// Which nodes run together, in which order, and what they read and write.
#include "devices/cpu/kernel.h"

namespace temper::cpu {

// What is memory and not a launch: its result is the bytes of its operand, or no bytes of its own.
bool is_alias(const Graph& graph, const Node& node);  // reshape, bitcast, barrier, all_reduce, transpose
bool is_leaf(const Node& node);                       // input, constant

// Every node that needs a launch, in an order that can run.
std::vector<Cluster> make_clusters(const Graph& graph);

std::vector<Value> inputs_of(const Graph& graph, const Cluster& cluster);  // read from outside, by first use

struct Operands {
  std::vector<Value> inputs;   // inputs_of the cluster
  std::vector<Value> outputs;  // read outside, ascending
};
// Of each cluster, in their order.
std::vector<Operands> operands_of(const Graph& graph, std::span<const Cluster> clusters);

}  // namespace temper::cpu
