// Batch norms of a training step as two nodes: what sums over the batch, and what treats samples alone.
#include <algorithm>
#include <limits>
#include <map>

#include "ir/builder.h"
#include "ops/composites.h"
#include "passes/training_parts.h"
#include "target/cost.h"

namespace temper {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

ops::NormActivation activation_of(const Node& node) {
  return {node.attributes.get<double>("epsilon"), node.attributes.get_or<double>("low", -kInfinity),
          node.attributes.get_or<double>("high", kInfinity)};
}

// Its sums and its map as two nodes.
std::vector<Value> forward_apart(Builder& b, const NodeView& view) {
  const auto& in = view.inputs;
  const ops::NormActivation activation = activation_of(view.node);
  const ops::BatchNormResult sums = ops::batch_norm_train(b, in[0], in[1], in[2], activation.epsilon);
  const Value addend = in.size() > 3 ? in[3] : Value{};
  return {ops::batch_norm_act_infer(b, in[0], in[1], in[2], sums.mean, sums.variance, addend, activation),
          sums.mean, sums.variance};
}

std::vector<Value> backward_apart(Builder& b, const NodeView& view, bool keeps_gated) {
  const auto& in = view.inputs;
  const Shape shape = view.node.outputs[0].shape;
  const int64_t count = shape.elements() / shape.size(1);
  ops::NormActivation activation = activation_of(view.node);
  if (view.node.op->name == "batch_norm_grad") {
    const ops::BatchNormGrads sums =
        ops::batch_norm_grad(b, in[0], in[1], in[2], in[3], in[4], activation.epsilon);
    return {ops::batch_norm_act_input_grad(b, in[0], in[1], in[1], in[2], in[3], in[4], sums.dscale,
                                           sums.dbias, count, activation),
            sums.dscale, sums.dbias};
  }
  const Value y = in.size() > 6 ? in[6] : Value{};
  const ops::BatchNormActGrads sums =
      ops::batch_norm_act_grad(b, in[0], in[1], in[2], in[3], in[4], in[5], y, activation);
  Value dy = in[5];
  if (y || keeps_gated) {  // what has passed the clamp need not pass again
    dy = sums.gated;
    activation.low = -kInfinity;
    activation.high = kInfinity;
  }
  return {ops::batch_norm_act_input_grad(b, in[0], in[1], in[2], in[3], in[4], dy, sums.dscale, sums.dbias,
                                         count, activation),
          sums.dscale, sums.dbias, sums.gated};
}

}  // namespace

bool is_any(const Node& node, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, node.op->name) != names.end();
}

bool is_light_convolution(const Graph& graph, const Node& node) {
  if (!is_any(node, {"conv2d", "conv_input_grad", "conv_weight_grad"})) return false;
  constexpr int64_t kMost = 96;  // operations for each number read or written
  int64_t elements = node.outputs[0].shape.elements();
  for (const Value input : node.inputs)
    if (input) elements += graph.type(input).shape.elements();
  return flops(graph, node) < kMost * elements;
}

bool is_large_norm(const Graph& graph, const Node& node, const TrainingLimits& limits) {
  if (!is_any(node, {"batch_norm_train", "batch_norm_act_train", "batch_norm_grad", "batch_norm_act_grad"}))
    return false;
  const Type& pictures = node.outputs[0];
  return pictures.shape.rank() == 4 && (pictures.dtype == DType::f32 || pictures.dtype == DType::bf16) &&
         graph.type(node.inputs[1]).dtype == DType::f32 && byte_size(pictures) > limits.pictures;
}

Graph take_norms_apart(const Graph& graph, const TrainingLimits& limits) {
  std::set<Value> read;
  for (const Node& node : graph.nodes()) read.insert(node.inputs.begin(), node.inputs.end());
  for (const Port& port : graph.outputs) read.insert(port.value);
  std::map<const Node*, int> number;
  for (int i = 0; i < graph.size(); ++i) number[&graph.nodes()[static_cast<size_t>(i)]] = i;
  // Pictures that a light convolution makes, or whose norm one reads.
  std::set<Value> pictures;
  for (const Node& node : graph.nodes()) {
    if (is_large_norm(graph, node, limits) && is_light_convolution(graph, graph.node(node.inputs[0])))
      pictures.insert(node.inputs[0]);
    const Value from = node.inputs.empty() ? Value{} : node.inputs[0];
    if (from && is_light_convolution(graph, node) && is_large_norm(graph, graph.node(from), limits))
      pictures.insert(graph.node(from).inputs[0]);
  }
  const auto apart = [&](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
    if (!is_large_norm(graph, view.node, limits) || !pictures.contains(view.node.inputs[0]))
      return std::nullopt;
    if (is_any(view.node, {"batch_norm_train", "batch_norm_act_train"})) return forward_apart(b, view);
    return backward_apart(b, view, read.contains({number.at(&view.node), 3}));
  };
  return rewrite(graph, apart, false);
}

}  // namespace temper
