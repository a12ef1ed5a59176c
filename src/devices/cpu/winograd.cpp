#include "devices/cpu/winograd.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "devices/cpu/post_ops.h"
#include "devices/cpu/winograd_tiles.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

// The sums over tiles are as large as all the weights and go through memory once a block.
constexpr int64_t kTilesOfGradient = 256;

bool follows(const Graph& graph, const Fusion& fusion) {
  const auto known = [](const PostOp& post) {
    return post.kind == PostOp::relu || post.kind == PostOp::clip || post.kind == PostOp::add;
  };
  return std::ranges::all_of(fusion.posts, known) && fusion.posts.size() <= kMostFollows &&
         (!fusion.bias || graph.type(fusion.bias).dtype == DType::f32);
}

std::vector<WinogradFollow> follows_of(const KernelRequest& request, const Fusion& fusion) {
  std::vector<WinogradFollow> follows;
  for (const PostOp& post : fusion.posts) {
    const auto number = [](double value) { return static_cast<float>(value); };
    if (post.kind == PostOp::relu) {
      follows.push_back({-1, 0, std::numeric_limits<float>::infinity()});
    } else if (post.kind == PostOp::clip) {
      follows.push_back({-1, number(post.low), number(post.high)});
    } else {
      follows.push_back({position(request.inputs, post.operand), 0, 0});
    }
  }
  return follows;
}

std::unique_ptr<Kernel> make_forward(const KernelRequest& request, const Convolution& conv, int weights) {
  const Fusion fusion = read_fusion(request.graph, request.cluster);
  const Node& node = request.graph.nodes()[static_cast<size_t>(fusion.node)];
  if (!follows(request.graph, fusion)) return nullptr;
  const Slots slots(request);
  const bool transformed = request.input_layouts[static_cast<size_t>(weights)] == kTransformed;
  return make_winograd_convolution(Tiling(conv.x, conv.y, conv.low[0], conv.low[1]), conv.dtype,
                                   transformed ? WinogradWeights::transformed : WinogradWeights::plain,
                                   {.x = position(request.inputs, node.inputs[0]),
                                    .w = weights,
                                    .y = slots.output,
                                    .bias = fusion.bias ? position(request.inputs, fusion.bias) : -1,
                                    .scratch = slots.scratch},
                                   follows_of(request, fusion), request.threads);
}

}  // namespace

int64_t winograd_weight_layout() {
  static const int64_t id = *encode({.rank = 4, .order = {2, 3, 1, 0}});
  return id;
}

bool winograd_takes_transformed(const Graph& graph, const Cluster& cluster) {
  const Node& node = graph.nodes()[static_cast<size_t>(cluster.nodes[0])];
  const std::optional<Convolution> conv = convolution_of(graph, node);
  return conv && conv->dtype == DType::f32 && graph.type(weights_of(graph, node)).dtype == DType::f32 &&
         node.outputs[0].dtype == DType::f32 && winograd_pays(*conv, true) &&
         follows(graph, read_fusion(graph, cluster));
}

bool winograd_takes_bf16() { return kHasBf16 && !has_bf16_tiles(); }

bool winograd_pays(const Convolution& conv, bool transformed) {
  const bool narrow = conv.dtype == DType::bf16 && winograd_takes_bf16();
  const bool fits = (conv.dtype == DType::f32 || narrow) && conv.x.rank() == 4 && conv.groups == 1 &&
                    conv.w.size(2) == 3 && conv.w.size(3) == 3 && conv.strides == Ints{1, 1} &&
                    conv.dilations == Ints{1, 1} && conv.w.size(0) % 16 == 0 && conv.w.size(1) % 16 == 0 &&
                    std::max(conv.low[0], conv.low[1]) <= 2;
  if (!fits) return false;
  const auto out = static_cast<double>(conv.w.size(0)), in = static_cast<double>(conv.w.size(1));
  const auto places = static_cast<double>(conv.x.size(0) * conv.y.size(2) * conv.y.size(3));
  const auto tiles = static_cast<double>(conv.x.size(0) * divided_up(conv.y.size(2), kWinogradTile) *
                                         divided_up(conv.y.size(3), kWinogradTile));
  // In operations of a product in f32 at full speed: a number that goes through a cache costs about 32 of
  // them.
  const double each = narrow ? 0.5 : 1;
  const double direct = 2 * kWinogradTaps * places * in * out * each;
  const double products = 1.2 * 2 * kWinogradPlanes * tiles * in * out * each;
  // Transformed weights are not made, but there are four times as many to read.
  const double weights = transformed ? 32 * (kWinogradPlanes - kWinogradTaps) : 2 * 32 * kWinogradPlanes;
  const double transforms =
      (2 * 32 * kWinogradPlanes * tiles * (in + out) + weights * in * out) * (narrow ? 0.8 : 1);
  return products + transforms < 0.85 * direct;
}

std::unique_ptr<Kernel> make_winograd(const KernelRequest& request, const Convolution& conv) {
  const Node& node = request.graph.nodes()[static_cast<size_t>(request.cluster.nodes[0])];
  const std::string_view name = node.op->name;
  const Slots slots(request);
  if (name == "conv_weight_grad") {
    if (!winograd_pays(conv) || request.output_layouts[0] != winograd_weight_layout() ||
        conv.gradient != DType::f32)
      return nullptr;
    return make_winograd_weight_gradient(Tiling(conv.x, conv.y, conv.low[0], conv.low[1], kTilesOfGradient),
                                         conv.dtype,
                                         {.x = position(request.inputs, node.inputs[0]),
                                          .dy = position(request.inputs, node.inputs[1]),
                                          .dw = slots.output,
                                          .scratch = slots.scratch});
  }
  const Value source = weights_of(request.graph, node);
  const int weights = position(request.inputs, source);
  const int64_t layout = request.input_layouts[static_cast<size_t>(weights)];
  if (layout == kTransformed) {
    auto kernel = make_forward(request, conv, weights);
    TEMPER_CHECK(kernel, "transformed weights of ", name);
    return kernel;
  }
  if (!winograd_pays(conv) || request.graph.type(source).dtype != DType::f32 ||
      node.outputs[0].dtype != conv.dtype || layout != winograd_weight_layout())
    return nullptr;
  if (name != "conv_input_grad") return make_forward(request, conv, weights);
  return make_winograd_convolution(Tiling(conv.y, conv.x, 2 - conv.low[0], 2 - conv.low[1]), conv.dtype,
                                   WinogradWeights::transposed,
                                   {.x = position(request.inputs, node.inputs[0]),
                                    .w = weights,
                                    .y = slots.output,
                                    .bias = -1,
                                    .scratch = slots.scratch},
                                   {}, request.threads);
}

}  // namespace temper::cpu
