#pragma once
// Appends nodes to a graph: infers types, checks, and returns an existing node when an equal one is there.
#include <unordered_map>

#include "ir/op.h"

namespace temper {

class Builder {
 public:
  explicit Builder(Graph& graph);  // graph must outlive the builder; it may hold nodes already

  Graph& graph() { return graph_; }
  // By value: appending a node moves the others.
  Type type(Value value) const { return graph_.type(value); }
  Shape shape(Value value) const { return graph_.type(value).shape; }
  DType dtype(Value value) const { return graph_.type(value).dtype; }

  Value input(std::string_view name, const Type& type);  // appends to graph.inputs
  void output(std::string_view name, Value value);       // appends to graph.outputs

  // Errors of the shape rule name `name` if given. Outputs as many as the op has.
  std::vector<Value> emit_all(const Op& op, std::vector<Value> inputs, Attributes attributes = {},
                              std::string_view name = {}, std::vector<Graph> regions = {});
  Value emit(const Op& op, std::vector<Value> inputs, Attributes attributes = {}, std::string_view name = {});

  Value constant(Tensor tensor);
  Value scalar(DType dtype, double value);  // rank 0

  // Every node emitted while set and without a name of its own gets this name: for passes that rewrite a
  // node.
  void set_default_name(std::string_view name) { default_name_ = name; }

 private:
  Graph& graph_;
  std::string default_name_;
  std::unordered_multimap<uint64_t, int> known_;  // hash -> node
};

// Copies `from` into `to`; `inputs[i]` stands for from.inputs[i]. Returns the values of from.outputs.
std::vector<Value> inline_graph(Builder& to, const Graph& from, std::span<const Value> inputs);

// Rebuilds a graph node by node. `rewrite` may emit a replacement and return its outputs (one per output of
// the node), or return nothing to have the node copied. Ports, names and donations are kept. Regions are
// rewritten too when `recurse`.
using RewriteNode = std::function<std::optional<std::vector<Value>>(Builder&, const NodeView&)>;
Graph rewrite(const Graph& graph, const RewriteNode& rewrite_node, bool recurse = true);

}  // namespace temper
