#include "devices/cpu/fusion.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "devices/cpu/contract.h"
#include "devices/cpu/convolution.h"
#include "devices/cpu/onednn.h"
#include "ops/uniform.h"

namespace temper::cpu {

static bool is(const Node& node, std::string_view name) { return node.op->name == name; }

// oneDNN takes 32, and on integers one may become two.
static constexpr size_t kMostPosts = 12;

namespace {

// Where `value` repeats one number per channel: the tensor that holds them.
Value per_channel(const Graph& graph, Value value, int channel_axis) {
  const Node& node = graph.node(value);
  if (!is(node, "broadcast_in_dim")) return {};
  const Shape& from = graph.type(node.inputs[0]).shape;
  const Ints& axes = node.attributes.get<Ints>("axes");
  const int64_t channels = node.outputs[0].shape.size(channel_axis);
  if (from.elements() != channels) return {};
  for (int i = 0; i < from.rank(); ++i)
    if (from.size(i) != 1 && axes[static_cast<size_t>(i)] != channel_axis) return {};
  return node.inputs[0];
}

bool takes_posts(const Node& node) {
  return contracts(node.outputs[0].dtype) && is_float(node.outputs[0].dtype) &&
         (is(node, "conv2d") || is(node, "dot_general"));
}

bool extend_add(Fusion& fusion, const Graph& graph, Value other) {
  const Node& root = graph.nodes()[static_cast<size_t>(fusion.node)];
  const Type& type = root.outputs[0];
  const int channel_axis = is(root, "conv2d") ? 1 : type.shape.rank() - 1;
  const bool has_bias = fusion.bias || (is(root, "conv2d") && root.inputs.size() > 2 && root.inputs[2]);
  if (!has_bias && fusion.posts.empty() && channel_axis >= 0) {
    const Value bias = per_channel(graph, other, channel_axis);
    if (bias && (!fusion.integers || constant_floats(graph, bias))) return fusion.bias = bias, true;
  }
  if (graph.type(other) != type || ops::uniform_constant(graph, other) ||
      is(graph.node(other), "broadcast_in_dim"))
    return false;
  PostOp post{.kind = PostOp::add, .operand = other};
  if (const auto integers = fusion.integers ? quantised(graph, other) : std::nullopt)
    post.operand = integers->integers, post.scaling = integers->scaling;
  fusion.posts.push_back(post);
  return true;
}

bool extend_bound(Fusion& fusion, bool is_max, double bound) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  PostOp* last = fusion.posts.empty() ? nullptr : &fusion.posts.back();
  if (is_max) {
    fusion.posts.push_back(bound == 0 ? PostOp{.kind = PostOp::relu}
                                      : PostOp{.kind = PostOp::clip, .low = bound, .high = kInfinity});
  } else if (last && last->kind == PostOp::relu && bound >= 0) {
    *last = {.kind = PostOp::clip, .low = 0, .high = bound};
  } else if (last && last->kind == PostOp::clip && last->high == kInfinity && bound >= last->low) {
    last->high = bound;
  } else {
    fusion.posts.push_back({.kind = PostOp::clip, .low = -kInfinity, .high = bound});
  }
  return true;
}

// Takes `node`, a reader of fusion.result, into the kernel if it can.
bool extend(Fusion& fusion, const Graph& graph, int index) {
  const Node& node = graph.nodes()[static_cast<size_t>(index)];
  bool taken = false;
  if (fusion.posts.size() == kMostPosts) return false;
  if (fusion.quantised) {
    if (!is(node, "dequantize") || scaling_of(graph, node) != fusion.quantised) return false;
    fusion.posts.push_back({.kind = PostOp::round, .scaling = std::exchange(fusion.quantised, std::nullopt)});
    taken = true;
  } else if (is(node, "quantize") && fusion.integers) {
    fusion.quantised = scaling_of(graph, node);
    taken = fusion.quantised.has_value();
  } else if (is(node, "sigmoid") || is(node, "tanh")) {
    fusion.posts.push_back({.kind = is(node, "tanh") ? PostOp::tanh : PostOp::sigmoid});
    taken = true;
  } else if (is(node, "gelu")) {
    const bool approximate = node.attributes.get<bool>("approximate");
    fusion.posts.push_back({.kind = approximate ? PostOp::gelu_tanh : PostOp::gelu});
    taken = true;
  } else if (is(node, "mul")) {
    const Value other = node.inputs[node.inputs[0] == fusion.result ? 1 : 0];
    const auto factor = ops::uniform_constant(graph, other);
    if (factor) fusion.posts.push_back({.kind = PostOp::scale, .factor = *factor});
    taken = factor.has_value();
  } else if (is(node, "add") || is(node, "max") || is(node, "min")) {
    const Value a = node.inputs[0], b = node.inputs[1];
    if (a == b) return false;
    const Value other = a == fusion.result ? b : a;
    if (is(node, "add")) {
      taken = extend_add(fusion, graph, other);
    } else if (const auto bound = ops::uniform_constant(graph, other)) {
      taken = extend_bound(fusion, is(node, "max"), *bound);
    }
  }
  if (taken) fusion.result = {index, 0};
  return taken;
}

Fusion start(const Graph& graph, int node) {
  return {.node = node,
          .integers = runs_on_integers(graph, graph.nodes()[static_cast<size_t>(node)]),
          .result = {node, 0}};
}

}  // namespace

bool is_contraction(const Node& node) {
  return is(node, "dot_general") || is(node, "conv_general") || is(node, "conv2d") ||
         is(node, "conv_input_grad") || is(node, "conv_weight_grad");
}

Cluster grow_cluster(const Graph& graph, const std::vector<std::vector<int>>& users,
                     const std::vector<bool>& is_output, const std::vector<bool>& taken, int node) {
  const Node& root = graph.nodes()[static_cast<size_t>(node)];
  Cluster cluster{.nodes = {node}, .kind = std::string(root.op->name)};
  if (!takes_posts(root)) return cluster;
  Fusion fusion = start(graph, node);
  Cluster quantised;  // the longest that ends in integers
  for (int last = node;
       users[static_cast<size_t>(last)].size() == 1 && !is_output[static_cast<size_t>(last)];) {
    const int next = users[static_cast<size_t>(last)][0];
    if (taken[static_cast<size_t>(next)] || !extend(fusion, graph, next)) break;
    cluster.nodes.push_back(next);
    cluster.kind += concat("+", graph.nodes()[static_cast<size_t>(next)].op->name);
    if (fusion.quantised) quantised = cluster;
    last = next;
  }
  return quantised.nodes.empty() ? cluster : quantised;
}

Fusion read_fusion(const Graph& graph, const Cluster& cluster) {
  Fusion fusion = start(graph, cluster.nodes[0]);
  const Node& root = graph.nodes()[static_cast<size_t>(fusion.node)];
  for (size_t i = 1; i < cluster.nodes.size(); ++i)
    TEMPER_CHECK(extend(fusion, graph, cluster.nodes[i]), graph.describe(cluster.nodes[i]));
  if (is(root, "conv2d") && root.inputs.size() > 2 && root.inputs[2]) fusion.bias = root.inputs[2];
  return fusion;
}

std::vector<Cluster> contractions_in(const Graph& graph, const Cluster& cluster) {
  std::vector<Cluster> found;
  for (const int node : cluster.nodes) {
    if (is_contraction(graph.nodes()[static_cast<size_t>(node)])) found.emplace_back();
    found.back().nodes.push_back(node);
  }
  return found;
}

Value weights_of(const Graph& graph, const Node& convolution) {
  const Value weights = convolution.inputs[1];
  const bool reads = is(convolution, "conv2d") || is(convolution, "conv_input_grad");
  if (!reads || !has_bf16_kernels() || !convolution_of(graph, convolution) ||
      graph.type(weights).dtype != DType::bf16)
    return weights;
  const Node& cast = graph.node(weights);
  return is(cast, "convert") && graph.type(cast.inputs[0]).dtype == DType::f32 ? cast.inputs[0] : weights;
}

std::vector<Value> inputs_of(const Graph& graph, const Fusion& fusion) {
  std::vector<Value> inputs;
  const auto add = [&](Value value) {
    if (value && std::find(inputs.begin(), inputs.end(), value) == inputs.end()) inputs.push_back(value);
  };
  const Node& root = graph.nodes()[static_cast<size_t>(fusion.node)];
  if (fusion.integers) {  // weights and bias are the kernel's own
    add(quantised(graph, root.inputs[0])->integers);
    for (const PostOp& post : fusion.posts) add(post.operand);
    return inputs;
  }
  for (const Value input : root.inputs)
    add(root.inputs.size() > 1 && input == root.inputs[1] ? weights_of(graph, root) : input);
  add(fusion.bias);
  for (const PostOp& post : fusion.posts) add(post.operand);
  return inputs;
}

}  // namespace temper::cpu
