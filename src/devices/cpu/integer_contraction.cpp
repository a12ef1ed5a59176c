#include "devices/cpu/integer_contraction.h"

#include <cmath>
#include <limits>

#include "devices/cpu/onednn.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Affine affine(const Scaling& scaling) {
  return {static_cast<double>(scaling.scale), static_cast<double>(scaling.zero)};
}

double least_of(const Scaling& scaling) { return scaling.dtype == DType::u8 ? 0 : -128; }

// A bound that the result's range implies.
bool is_implied(const PostOp& post, const Scaling& result) {
  if (post.kind != PostOp::relu && post.kind != PostOp::clip) return false;
  const double low = post.kind == PostOp::relu ? 0 : post.low,
               high = post.kind == PostOp::relu ? kInfinity : post.high;
  const auto scale = static_cast<double>(result.scale), zero = static_cast<double>(result.zero);
  const double least = least_of(result), most = least + 255;
  return low <= (least + 0.49 - zero) * scale && high >= (most - 0.49 - zero) * scale;
}

// What the first rounding or sum with integers wants, else the result.
Affine start(const Fusion& fusion) {
  double factor = 1;
  for (const PostOp& post : fusion.posts) {
    if (post.kind == PostOp::scale && post.factor > 0) factor *= post.factor;
    if (post.kind == PostOp::round)
      return {static_cast<double>(post.scaling->scale) / factor, static_cast<double>(post.scaling->zero)};
    if (post.kind == PostOp::add && post.scaling)
      return {static_cast<double>(post.scaling->scale) / factor, -static_cast<double>(post.scaling->zero)};
    if (post.kind == PostOp::add || post.is_curve() || (post.kind == PostOp::scale && post.factor <= 0))
      return {};
  }
  if (!fusion.quantised) return {};
  const Affine end = affine(*fusion.quantised);
  return {end.unit / factor, end.offset};
}

Follow::Kind curve_of(PostOp::Kind kind) {
  switch (kind) {
    case PostOp::sigmoid:
      return Follow::sigmoid;
    case PostOp::tanh:
      return Follow::tanh;
    case PostOp::gelu:
      return Follow::gelu;
    default:
      return Follow::gelu_tanh;
  }
}

class Writer {
 public:
  explicit Writer(const Affine& first) : now_(first) {}

  void become(const Affine& wanted) {
    const double ratio = now_.unit / wanted.unit, shift = wanted.offset - now_.offset * ratio;
    if (std::abs(ratio - 1) > 1e-12 || shift != 0) push(Follow::linear, ratio, shift);
    now_ = wanted;
  }

  void append(const PostOp& post) {
    switch (post.kind) {
      case PostOp::relu:
        return now_.offset == 0 ? push(Follow::relu) : bound(0, kInfinity);
      case PostOp::clip:
        return bound(post.low, post.high);
      case PostOp::sigmoid:
      case PostOp::tanh:
      case PostOp::gelu:
      case PostOp::gelu_tanh:
        become({});
        return push(curve_of(post.kind));
      case PostOp::scale:
        if (post.factor > 0) {
          // t stays what it is: offset and all
          now_.unit *= post.factor;
          return;
        }
        become({});
        return push(Follow::linear, post.factor, 0);
      case PostOp::round:
        become(affine(*post.scaling));
        return push(Follow::round, least_of(*post.scaling), least_of(*post.scaling) + 255);
      case PostOp::add:
        become(post.scaling ? Affine{static_cast<double>(post.scaling->scale),
                                     -static_cast<double>(post.scaling->zero)}
                            : Affine{});
        steps.push_back({.kind = Follow::add, .operand = post.operand});
        now_.offset = 0;
    }
  }

  std::vector<Follow> steps;

 private:
  void push(Follow::Kind kind, double a = 0, double b = 0) {
    steps.push_back({kind, static_cast<float>(a), static_cast<float>(b)});
  }

  void bound(double low, double high) {
    constexpr double kMost = std::numeric_limits<float>::max();
    const auto inside = [&](double y) { return std::clamp(y / now_.unit + now_.offset, -kMost, kMost); };
    push(Follow::clip, inside(low), inside(high));
  }

  Affine now_;
};

}  // namespace

Follows::Follows(const Fusion& fusion) : first(start(fusion)) {
  Writer writer(first);
  size_t count = fusion.posts.size();
  if (fusion.quantised && count > 0 && is_implied(fusion.posts.back(), *fusion.quantised)) --count;
  for (size_t i = 0; i < count; ++i) writer.append(fusion.posts[i]);
  writer.become(fusion.quantised ? affine(*fusion.quantised) : Affine{});
  steps = std::move(writer.steps);
}

Tensor integers_around_zero(const Graph& graph, Value weights) {
  const Tensor& values = graph.node(graph.node(weights).inputs[0]).attributes.get<Tensor>("value");
  if (values.dtype() == DType::i8) return values;
  Tensor result(Type{DType::i8, values.shape()});
  const auto from = values.values<uint8_t>();
  const auto to = result.mutable_values<int8_t>();
  for (size_t i = 0; i < from.size(); ++i) to[i] = static_cast<int8_t>(from[i] - 128);
  return result;
}

// y[c] = scale_x scale_w[c] (sum of q w - zero sum of w) + bias[c], as t = y / unit + offset.
Numbers numbers_of(const Graph& graph, const Factors& factors, const Tensor& weights, const Affine& first,
                   bool folds) {
  const Shape& shape = weights.shape();
  const int64_t channels = shape.size(static_cast<int>(factors.channel_axis));
  int64_t inner = 1;
  for (int i = static_cast<int>(factors.channel_axis) + 1; i < shape.rank(); ++i) inner *= shape.size(i);
  const Tensor& given = graph.node(graph.node(factors.weights).inputs[1]).attributes.get<Tensor>("value");
  const auto scales = given.values<float>();
  std::vector<int64_t> sums(static_cast<size_t>(channels));
  const auto values = weights.values<int8_t>();
  auto value = values.begin();
  for (size_t c = 0; value != values.end(); c = (c + 1) % sums.size())
    for (const auto end = value + inner; value != end; ++value) sums[c] += *value;
  Numbers numbers;
  const Scaling& x = factors.x.scaling;
  for (size_t c = 0; c < sums.size(); ++c) {
    const double scale =
        static_cast<double>(x.scale) * static_cast<double>(scales[scales.size() == 1 ? 0 : c]);
    const double bias = factors.bias ? static_cast<double>((*factors.bias)[c]) : 0;
    const double shift = bias - (folds ? scale * x.zero * static_cast<double>(sums[c]) : 0);
    numbers.scales.push_back(static_cast<float>(scale / first.unit));
    numbers.bias.push_back(static_cast<float>(shift / first.unit + first.offset));
  }
  return numbers;
}

std::unique_ptr<Kernel> make_integer_contraction(const KernelRequest& request) {
  const Fusion fusion = read_fusion(request.graph, request.cluster);
  const Node& node = request.graph.nodes()[static_cast<size_t>(fusion.node)];
  Factors factors{
      .weights = node.inputs[1], .channel_axis = 0, .x = *quantised(request.graph, node.inputs[0])};
  if (fusion.bias) factors.bias = constant_floats(request.graph, fusion.bias);
  if (node.op->name == "dot_general")
    factors.channel_axis = static_cast<size_t>(1 - node.attributes.get<Ints>("y_contract")[0]);
  return has_int8_kernels() ? make_onednn_integers(request, fusion, factors)
                            : make_integer_products(request, fusion, factors);
}

}  // namespace temper::cpu
