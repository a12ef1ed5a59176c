#include "target/cost.h"

#include <algorithm>
#include <array>

#include "ir/op.h"

namespace temper {

namespace {

using namespace std::string_view_literals;

constexpr std::array kMoves = {
    "input"sv,     "constant"sv,  "iota"sv,         "dimension_size"sv,   "bitcast"sv,
    "reshape"sv,   "transpose"sv, "slice"sv,        "broadcast_in_dim"sv, "pad"sv,
    "concat"sv,    "reverse"sv,   "gather"sv,       "dynamic_slice"sv,    "dynamic_update_slice"sv,
    "embedding"sv, "barrier"sv,   "dropout_infer"sv};

// Each output element sums over the weights of one output channel; w: [out, in / groups, spatial...]
int64_t convolution(const Shape& y, const Shape& w) {
  return w.size(0) == 0 ? 0 : 2 * y.elements() * (w.elements() / w.size(0));
}

int64_t dot(const Graph& graph, const Node& node) {
  const Shape& x = graph.type(node.inputs[0]).shape;
  int64_t depth = 1;
  for (const int64_t axis : node.attributes.get<Ints>("x_contract")) depth *= x.size(static_cast<int>(axis));
  return 2 * node.outputs[0].shape.elements() * depth;
}

int64_t region_flops(const Node& node) {
  int64_t total = 0;
  for (const Graph& region : node.regions) total += flops(region);
  return total * node.attributes.get_or<int64_t>("length", node.attributes.get_or<int64_t>("parts", 1));
}

}  // namespace

int64_t flops(const Graph& graph, const Node& node) {
  const std::string_view name = node.op->name;
  const auto shape = [&](size_t i) -> const Shape& { return graph.type(node.inputs[i]).shape; };
  if (name == "conv2d" || name == "conv_general") return convolution(node.outputs[0].shape, shape(1));
  if (name == "conv_input_grad") return convolution(shape(0), shape(1));
  if (name == "conv_weight_grad") return convolution(shape(1), node.outputs[0].shape);
  if (name == "dot_general") return dot(graph, node);
  if (!node.regions.empty()) return region_flops(node);
  if (std::find(kMoves.begin(), kMoves.end(), name) != kMoves.end()) return 0;
  int64_t most = 0;
  for (const Value input : node.inputs)
    if (input) most = std::max(most, graph.type(input).shape.elements());
  for (const Type& output : node.outputs) most = std::max(most, output.shape.elements());
  return most;
}

int64_t flops(const Graph& graph) {
  int64_t total = 0;
  for (const Node& node : graph.nodes()) total += flops(graph, node);
  return total;
}

double nominal_work(int64_t flops, int64_t bytes) {
  constexpr double kOperationsPerByte = 8;
  return std::max(static_cast<double>(flops), kOperationsPerByte * static_cast<double>(bytes));
}

double nominal_work(const Graph& graph) {
  double work = 0;
  for (const Node& node : graph.nodes()) work += nominal_work(flops(graph, node), bytes_moved(graph, node));
  return work;
}

int64_t bytes_moved(const Graph& graph, const Node& node) {
  int64_t total = 0;
  for (const Value input : node.inputs)
    if (input) total += byte_size(graph.type(input));
  for (const Type& output : node.outputs) total += byte_size(output);
  return total;
}

}  // namespace temper
