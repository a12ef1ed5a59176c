#pragma once
// SSA dataflow graph. Nodes stand in topological order; a Value is one output of one node.
#include <compare>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "ir/attributes.h"

namespace temper {

struct Op;  // ir/op.h
class Graph;

struct Value {
  int32_t node = -1;
  int32_t index = 0;
  explicit operator bool() const { return node >= 0; }  // a default Value is none
  friend auto operator<=>(const Value&, const Value&) = default;
};

struct Node {
  const Op* op = nullptr;
  std::vector<Value> inputs;  // a none Value is an absent optional input
  Attributes attributes;
  std::vector<Type> outputs;
  std::vector<Graph> regions;  // bodies of call, scan, cond, while
  std::string name;            // for people: from the file, or empty
};

struct Port {
  std::string name;
  Value value;
};

// Output `output` may take the memory of input `input`; the caller gives the input away.
struct Donation {
  int input = 0, output = 0;  // positions in inputs() and outputs()
  friend bool operator==(const Donation&, const Donation&) = default;
};

// Appending is done by Builder, which infers and checks. Values stay valid while nodes are only appended.
class Graph {
 public:
  const std::deque<Node>& nodes() const { return nodes_; }
  const Node& node(Value value) const { return nodes_[static_cast<size_t>(value.node)]; }
  Node& node(Value value) { return nodes_[static_cast<size_t>(value.node)]; }
  const Type& type(Value value) const { return node(value).outputs[static_cast<size_t>(value.index)]; }
  int size() const { return static_cast<int>(nodes_.size()); }

  std::vector<Port> inputs;  // each an `input` node's value; data and parameters alike
  std::vector<Port> outputs;
  std::vector<Donation> donations;

  Value find_input(std::string_view name) const;   // none if absent
  Value find_output(std::string_view name) const;  // none if absent
  // "conv1 (conv2d, node 17)": how messages name a node.
  std::string describe(int node) const;

 private:
  friend class Builder;
  std::deque<Node> nodes_;  // appending moves no node: references to nodes, types and attributes stay valid
};

// For each node, the nodes that read it (ascending, each once). Graph outputs are not counted.
std::vector<std::vector<int>> users(const Graph& graph);

// Throws Error internal naming the first node that breaks a rule: order, types as inferred, arity, ports,
// donations.
void verify(const Graph& graph);

bool same(const Graph& a, const Graph& b);  // equal nodes, ports and donations, names included

}  // namespace temper
