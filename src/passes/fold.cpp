// Constants are evaluated, and nodes that do nothing removed.
#include <algorithm>

#include "ir/builder.h"
#include "ops/evaluate.h"
#include "ops/primitives.h"
#include "passes/passes.h"

namespace temper {
namespace {

// True if every element of a constant, or of a broadcast one, is `wanted`.
bool is_all(const Graph& graph, Value value, double wanted) {
  while (graph.node(value).op->name == "broadcast_in_dim" || graph.node(value).op->name == "reshape")
    value = graph.node(value).inputs[0];
  const Node& node = graph.node(value);
  if (node.op != &constant_op) return false;
  const Tensor& tensor = node.attributes.get<Tensor>("value");
  if (tensor.elements() != 1) return false;
  return is_float(tensor.dtype()) ? to_doubles(tensor)[0] == wanted
                                  : to_int64s(tensor)[0] == static_cast<int64_t>(wanted);
}

bool is_identity_permutation(const Ints& permutation) {
  for (size_t i = 0; i < permutation.size(); ++i) {
    if (permutation[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

bool all_equal(const Ints& values, int64_t wanted) {
  return std::all_of(values.begin(), values.end(), [&](int64_t value) { return value == wanted; });
}

// A node that gives its first operand unchanged. x + 0 is none: it turns -0 into 0.
bool does_nothing(const Graph& graph, const Node& node, std::span<const Value> inputs) {
  if (inputs.empty() || !inputs[0] || graph.type(inputs[0]) != node.outputs[0]) return false;
  const std::string_view name = node.op->name;
  if (name == "mul" || name == "div") return is_all(graph, inputs[1], 1);
  if (name == "sub") return is_all(graph, inputs[1], 0);
  if (name == "add") return !is_float(node.outputs[0].dtype) && is_all(graph, inputs[1], 0);
  if (name == "reshape" || name == "convert" || name == "bitcast" || name == "dropout_infer") return true;
  if (name == "broadcast_in_dim") return is_identity_permutation(node.attributes.get<Ints>("axes"));
  if (name == "transpose") return is_identity_permutation(node.attributes.get<Ints>("permutation"));
  if (name == "concat") return inputs.size() == 1;
  if (name == "slice") return all_equal(node.attributes.get<Ints>("strides"), 1);
  if (name == "pad")
    return all_equal(node.attributes.get<Ints>("low"), 0) &&
           all_equal(node.attributes.get<Ints>("interior"), 0);
  return false;
}

// A move of the same kind before this one is skipped.
std::optional<Value> merged_move(Builder& b, const NodeView& view) {
  if (view.inputs.empty() || !view.inputs[0]) return std::nullopt;
  const Node before = b.graph().node(view.inputs[0]);
  if (before.op != view.node.op) return std::nullopt;
  if (view.node.op->name == "reshape")
    return ops::reshape(b, before.inputs[0], view.attributes().get<Shape>("shape"));
  if (view.node.op->name != "transpose") return std::nullopt;
  const Ints &first = before.attributes.get<Ints>("permutation"),
             &then = view.attributes().get<Ints>("permutation");
  Ints both;
  for (int64_t axis : then) both.push_back(first[static_cast<size_t>(axis)]);
  return is_identity_permutation(both) ? before.inputs[0] : ops::transpose(b, before.inputs[0], both);
}

std::optional<Value> known_size(Builder& b, const NodeView& view) {
  if (view.node.op->name != "dimension_size") return std::nullopt;
  const Dim dim = b.shape(view.inputs[0])[static_cast<int>(view.attributes().get<int64_t>("axis"))];
  if (!dim.is_static()) return std::nullopt;
  return b.scalar(view.node.outputs[0].dtype, static_cast<double>(dim.size()));
}

bool is_small(const Node& node, int64_t limit) {
  for (const Type& type : node.outputs) {
    if (!type.shape.is_static() || type.shape.elements() > limit || bit_width(type.dtype) < 8) return false;
  }
  return true;
}

// The results of a node whose inputs are all constant; nothing if it is no such node.
std::optional<std::vector<Value>> evaluated(Builder& b, const NodeView& view, int64_t limit) {
  const Node& node = view.node;
  // A broadcast scalar is worth more as it is than spread out; iota costs nothing.
  if (!node.op->evaluate || node.op->random_or_effect || !node.regions.empty() || !is_small(node, limit) ||
      node.op->name == "iota" || node.op->name == "broadcast_in_dim")
    return std::nullopt;
  std::vector<Array> arrays;
  for (Value input : view.inputs) {
    if (!input || b.graph().node(input).op != &constant_op) return std::nullopt;
    const Tensor& tensor = b.graph().node(input).attributes.get<Tensor>("value");
    if (tensor.elements() > limit) return std::nullopt;
    arrays.push_back(to_array(tensor));
  }
  std::vector<const Array*> pointers;
  for (const Array& array : arrays) pointers.push_back(&array);
  std::vector<Value> results;
  for (const Array& array : evaluate_node(node, pointers, Rounding::every_node))
    results.push_back(b.constant(to_tensor(array)));
  return results;
}

}  // namespace

Graph fold(const Graph& graph, int64_t limit) {
  const Graph folded =
      rewrite(graph, [&](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
        const Node& node = view.node;
        if (node.op == &input_op || node.op == &constant_op) return std::nullopt;
        if (node.outputs.size() == 1) {
          if (does_nothing(b.graph(), node, view.inputs)) return std::vector<Value>{view.inputs[0]};
          if (const std::optional<Value> merged = merged_move(b, view)) return std::vector<Value>{*merged};
          if (const std::optional<Value> size = known_size(b, view)) return std::vector<Value>{*size};
        }
        return evaluated(b, view, limit);
      });
  return eliminate_dead(folded);
}

}  // namespace temper
