// A convolution or matrix product of 8-bit integers through oneDNN, with what follows it: 32-bit sums, scaled
// by output channel in f32, a bias, activations, sums with other quantised values, 8-bit results.
#include <cmath>
#include <limits>
#include <mutex>

#include "base/check.h"
#include "devices/cpu/convolution_shapes.h"
#include "devices/cpu/fusion.h"
#include "devices/cpu/integers.h"
#include "devices/cpu/post_ops.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

using dnnl::algorithm;
using dnnl::memory;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// At each point the kernel holds t = y / unit + offset, so that scales and zero points of what is added and
// of the result mostly cost nothing: the first one is folded into the weights' scales and the bias.
struct Affine {
  double unit = 1, offset = 0;
  friend bool operator==(const Affine&, const Affine&) = default;
};

Affine affine(const Scaling& scaling) {
  return {static_cast<double>(scaling.scale), static_cast<double>(scaling.zero)};
}

// A bound that the result's range implies.
bool is_implied(const PostOp& post, const Scaling& result) {
  if (post.kind != PostOp::relu && post.kind != PostOp::clip) return false;
  const double low = post.kind == PostOp::relu ? 0 : post.low,
               high = post.kind == PostOp::relu ? kInfinity : post.high;
  const auto scale = static_cast<double>(result.scale), zero = static_cast<double>(result.zero);
  const double least = result.dtype == DType::u8 ? 0 : -128, most = least + 255;
  return low <= (least + 0.49 - zero) * scale && high >= (most - 0.49 - zero) * scale;
}

class Posts {
 public:
  Posts(const Fusion& fusion, const KernelRequest& request, const Descriptor& result)
      : fusion_(fusion), request_(request), result_(result), now_(start()), first_(now_) {
    size_t count = fusion.posts.size();
    if (fusion.quantised && count > 0 && is_implied(fusion.posts.back(), *fusion.quantised)) --count;
    for (size_t i = 0; i < count; ++i) append(fusion.posts[i]);
    become(fusion.quantised ? affine(*fusion.quantised) : Affine{});
  }

  const Affine& first() const { return first_; }
  const dnnl::post_ops& all() const { return posts_; }
  std::vector<Binding>& bindings() { return bindings_; }

 private:
  // What the first sum with integers wants, else the result.
  Affine start() const {
    double factor = 1;
    for (const PostOp& post : fusion_.posts) {
      if (post.kind == PostOp::scale && post.factor > 0) factor *= post.factor;
      if (post.kind == PostOp::add && post.scaling)
        return {static_cast<double>(post.scaling->scale) / factor, -static_cast<double>(post.scaling->zero)};
      if (post.kind == PostOp::add || post.is_curve() || (post.kind == PostOp::scale && post.factor <= 0))
        return {};
    }
    if (!fusion_.quantised) return {};
    const Affine end = affine(*fusion_.quantised);
    return {end.unit / factor, end.offset};
  }

  void eltwise(algorithm kind, double alpha, double beta) {
    posts_.append_eltwise(kind, static_cast<float>(alpha), static_cast<float>(beta));
  }

  void become(const Affine& wanted) {
    const double ratio = now_.unit / wanted.unit, shift = wanted.offset - now_.offset * ratio;
    if (std::abs(ratio - 1) > 1e-12 || shift != 0) eltwise(algorithm::eltwise_linear, ratio, shift);
    now_ = wanted;
  }

  void bound(double low, double high) {
    constexpr double kMost = std::numeric_limits<float>::max();
    const auto inside = [&](double y) { return std::clamp(y / now_.unit + now_.offset, -kMost, kMost); };
    eltwise(algorithm::eltwise_clip_v2, inside(low), inside(high));
  }

  void append(const PostOp& post) {
    switch (post.kind) {
      case PostOp::relu:
        return now_.offset == 0 ? eltwise(algorithm::eltwise_relu, 0, 0) : bound(0, kInfinity);
      case PostOp::clip:
        return bound(post.low, post.high);
      case PostOp::sigmoid:
      case PostOp::tanh:
      case PostOp::gelu:
      case PostOp::gelu_tanh:
        become({});
        return eltwise(curve_of(post), 0, 0);
      case PostOp::scale:
        if (post.factor > 0) {
          // t stays what it is: offset and all
          now_.unit *= post.factor;
          return;
        }
        become({});
        return eltwise(algorithm::eltwise_linear, post.factor, 0);
      case PostOp::add:
        become(post.scaling ? Affine{static_cast<double>(post.scaling->scale),
                                     -static_cast<double>(post.scaling->zero)}
                            : Affine{});
        add(post.operand);
        now_.offset = 0;
    }
  }

  void add(Value operand) {
    const memory::data_type type = *data_type(request_.graph.type(operand).dtype);
    const Descriptor other(result_.get_dims(), type, result_.get_strides());
    bindings_.push_back({DNNL_ARG_ATTR_MULTIPLE_POST_OP(posts_.len()) | DNNL_ARG_SRC_1, other,
                         position(request_.inputs, operand)});
    posts_.append_binary(algorithm::binary_add, other);
  }

  const Fusion& fusion_;
  const KernelRequest& request_;
  const Descriptor& result_;
  Affine now_;
  const Affine first_;
  dnnl::post_ops posts_;
  std::vector<Binding> bindings_;
};

// Constants of the kernel's own.
struct Numbers {
  std::vector<float> scales, bias;  // by output channel
  int32_t zero = 0;                 // of x; 0 if the bias holds what it brings
};

// Weights of constant integers, around 0.
Tensor integers_around_zero(const Graph& graph, Value weights) {
  const Tensor& values = graph.node(graph.node(weights).inputs[0]).attributes.get<Tensor>("value");
  if (values.dtype() == DType::i8) return values;
  Tensor result(Type{DType::i8, values.shape()});
  const auto from = values.values<uint8_t>();
  const auto to = result.mutable_values<int8_t>();
  for (size_t i = 0; i < from.size(); ++i) to[i] = static_cast<int8_t>(from[i] - 128);
  return result;
}

// One kernel over weights it has packed for itself, once, when it is first made ready to run.
class PackedKernel : public Kernel {
 public:
  struct Weights {
    Tensor values;
    Descriptor plain, packed;
  };

  PackedKernel(Weights weights, Numbers numbers)
      : weights_(std::move(weights)),
        numbers_(std::move(numbers)),
        packed_(Type{DType::u8, {static_cast<int64_t>(weights_.packed.get_size())}}) {}

  Binding bind_weights() { return fixed(DNNL_ARG_WEIGHTS, weights_.packed, packed_.mutable_data()); }
  Binding bind_scales() {
    return fixed(DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, vector_of(numbers_.scales.size()),
                 numbers_.scales.data());
  }
  Binding bind_bias(const Descriptor& bias) { return fixed(DNNL_ARG_BIAS, bias, numbers_.bias.data()); }
  Binding bind_zero() {
    return fixed(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC,
                 Descriptor({1}, memory::data_type::s32, memory::format_tag::a), &numbers_.zero);
  }
  void set_step(Step step, int64_t scratch_bytes) {
    steps_.push_back(std::move(step));
    scratch_bytes_ = scratch_bytes;
  }

  int64_t scratch_bytes() const override { return scratch_bytes_; }
  void run(void* const* buffers, KernelState* state) const override {
    static_cast<BoundSteps&>(*state).run(0, buffers);
  }
  std::unique_ptr<KernelState> make_state() const override {
    std::call_once(once_, [&] { pack(); });
    return std::make_unique<BoundSteps>(steps_);
  }

 private:
  static Descriptor vector_of(size_t size) {
    return Descriptor({static_cast<int64_t>(size)}, memory::data_type::f32, memory::format_tag::a);
  }
  static Binding fixed(int argument, const Descriptor& descriptor, void* data) {
    return {argument, descriptor, -1, 0, data};
  }

  void pack() const {
    const dnnl::reorder::primitive_desc description(engine(), weights_.plain, engine(), weights_.packed);
    const memory from(weights_.plain, engine(), const_cast<std::byte*>(weights_.values.data())),
        to(weights_.packed, engine(), packed_.storage()->data);
    dnnl::stream stream(engine());
    dnnl::reorder(description).execute(stream, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
    stream.wait();
    weights_.values = Tensor();
  }

  mutable Weights weights_;
  Numbers numbers_;
  mutable Tensor packed_;
  mutable std::once_flag once_;
  std::vector<Step> steps_;
  int64_t scratch_bytes_ = 0;
};

struct Factors {
  Value weights;
  size_t channel_axis = 0;  // of the weights
  Quantised x;
  std::optional<std::vector<float>> bias = {};
  bool pads = false;  // x is read beyond its edges, where it counts as 0 and not as its zero point
};

// y[c] = scale_x scale_w[c] (sum of q w - zero sum of w) + bias[c], as t = y / unit + offset.
Numbers numbers_of(const Graph& graph, const Factors& factors, const Tensor& weights, const Affine& first) {
  const Shape& shape = weights.shape();
  const int64_t channels = shape.size(static_cast<int>(factors.channel_axis));
  int64_t inner = 1;
  for (int i = static_cast<int>(factors.channel_axis) + 1; i < shape.rank(); ++i) inner *= shape.size(i);
  const Tensor& given = graph.node(graph.node(factors.weights).inputs[1]).attributes.get<Tensor>("value");
  const auto scales = given.values<float>();
  std::vector<int64_t> sums(static_cast<size_t>(channels));
  const auto values = weights.values<int8_t>();
  for (size_t i = 0; i < values.size(); ++i)
    sums[static_cast<size_t>(static_cast<int64_t>(i) / inner % channels)] += values[i];
  Numbers numbers;
  const Scaling& x = factors.x.scaling;
  const int32_t folded = factors.pads ? 0 : x.zero;
  numbers.zero = x.zero - folded;
  for (size_t c = 0; c < sums.size(); ++c) {
    const double scale =
        static_cast<double>(x.scale) * static_cast<double>(scales[scales.size() == 1 ? 0 : c]);
    const double bias = factors.bias ? static_cast<double>((*factors.bias)[c]) : 0;
    const double shift = bias - scale * folded * static_cast<double>(sums[c]);
    numbers.scales.push_back(static_cast<float>(scale / first.unit));
    numbers.bias.push_back(static_cast<float>(shift / first.unit + first.offset));
  }
  return numbers;
}

// Adds what both kinds of contraction bind alike, and the step.
template <class Primitive, class Description>
void finish(PackedKernel& kernel, const Description& description, const KernelRequest& request, Value x,
            bool has_zero, const Descriptor& bias, Posts& posts) {
  const Slots slots(request);
  ScratchPlan scratch;
  std::vector<Binding> bindings = std::move(posts.bindings());
  bindings.push_back({DNNL_ARG_SRC, description.src_desc(), position(request.inputs, x)});
  bindings.push_back({DNNL_ARG_DST, description.dst_desc(), slots.output});
  bind_scratchpad(bindings, description.scratchpad_desc(), slots.scratch, scratch);
  bindings.push_back(kernel.bind_weights());
  bindings.push_back(kernel.bind_scales());
  bindings.push_back(kernel.bind_bias(bias));
  if (has_zero) bindings.push_back(kernel.bind_zero());
  kernel.set_step({Primitive(description), std::move(bindings)}, scratch.bytes());
}

std::unique_ptr<Kernel> make_convolution(const KernelRequest& request, const Fusion& fusion, const Node& node,
                                         const Factors& factors) {
  const Convolution conv = *convolution_of(request.graph, node);
  ConvolutionShapes shapes(conv);
  const int64_t order = channels_last(conv.x.rank());
  const DType result = request.graph.type(fusion.result).dtype;
  shapes.x = descriptor(factors.x.scaling.dtype, conv.x, order);
  shapes.y = descriptor(result, conv.y, order);
  shapes.any_w = Descriptor(shapes.any_w.get_dims(), memory::data_type::s8, memory::format_tag::any);
  Posts posts(fusion, request, shapes.y);
  PackedKernel::Weights weights{integers_around_zero(request.graph, factors.weights), {}, {}};
  weights.plain = descriptor(DType::i8, conv.w, kRowMajor);
  if (conv.groups > 1) weights.plain = split_groups(weights.plain, conv.groups);
  Numbers numbers = numbers_of(request.graph, factors, weights.values, posts.first());
  const bool has_zero = numbers.zero != 0;
  dnnl::primitive_attr attributes = user_scratchpad();
  attributes.set_scales_mask(DNNL_ARG_WEIGHTS, conv.groups > 1 ? 3 : 1);
  if (has_zero) attributes.set_zero_points_mask(DNNL_ARG_SRC, 0);
  attributes.set_post_ops(posts.all());
  const Descriptor bias({conv.w.size(0)}, memory::data_type::f32, memory::format_tag::a);
  const auto description = forward_description(shapes, bias, attributes);
  TEMPER_CHECK(description, "oneDNN has no convolution of integers");
  weights.packed = description.weights_desc();
  auto kernel = std::make_unique<PackedKernel>(std::move(weights), std::move(numbers));
  finish<dnnl::convolution_forward>(*kernel, description, request, factors.x.integers, has_zero, bias, posts);
  return kernel;
}

// All axes of x but the last are rows.
std::unique_ptr<Kernel> make_product(const KernelRequest& request, const Fusion& fusion, const Node& node,
                                     const Factors& factors) {
  const Shape& x = request.graph.type(factors.x.integers).shape;
  const int64_t depth = x.size(x.rank() - 1), rows = x.elements() / depth,
                columns = node.outputs[0].shape.elements() / rows;
  const DType result = request.graph.type(fusion.result).dtype;
  const auto matrix = [](int64_t height, int64_t width, memory::data_type type) {
    return Descriptor({height, width}, type, memory::format_tag::ab);
  };
  const Descriptor source = matrix(rows, depth, *data_type(factors.x.scaling.dtype)),
                   target = matrix(rows, columns, *data_type(result)),
                   bias = matrix(1, columns, memory::data_type::f32),
                   any({depth, columns}, memory::data_type::s8, memory::format_tag::any);
  Posts posts(fusion, request, target);
  PackedKernel::Weights weights{integers_around_zero(request.graph, factors.weights), {}, {}};
  weights.plain = Descriptor({depth, columns}, memory::data_type::s8,
                             factors.channel_axis == 1 ? memory::format_tag::ab : memory::format_tag::ba);
  Numbers numbers = numbers_of(request.graph, factors, weights.values, posts.first());
  dnnl::primitive_attr attributes = user_scratchpad();
  attributes.set_scales_mask(DNNL_ARG_WEIGHTS, 2);
  attributes.set_post_ops(posts.all());
  const dnnl::matmul::primitive_desc description(engine(), source, any, bias, target, attributes, true);
  TEMPER_CHECK(description, "oneDNN has no product of integers");
  weights.packed = description.weights_desc();
  auto kernel = std::make_unique<PackedKernel>(std::move(weights), std::move(numbers));
  finish<dnnl::matmul>(*kernel, description, request, factors.x.integers, false, bias, posts);
  return kernel;
}

bool any_over_zero(const Ints& values) {
  return std::ranges::any_of(values, [](int64_t value) { return value > 0; });
}

}  // namespace

std::unique_ptr<Kernel> make_integer_contraction(const KernelRequest& request) {
  const Fusion fusion = read_fusion(request.graph, request.cluster);
  const Node& node = request.graph.nodes()[static_cast<size_t>(fusion.node)];
  const TeamSize team(request.threads);
  const bool is_convolution = node.op->name == "conv2d";
  Factors factors{
      .weights = node.inputs[1], .channel_axis = 0, .x = *quantised(request.graph, node.inputs[0])};
  if (fusion.bias) factors.bias = constant_floats(request.graph, fusion.bias);
  factors.pads = is_convolution && (any_over_zero(node.attributes.get<Ints>("low")) ||
                                    any_over_zero(node.attributes.get<Ints>("high")));
  if (is_convolution) return make_convolution(request, fusion, node, factors);
  factors.channel_axis = static_cast<size_t>(1 - node.attributes.get<Ints>("y_contract")[0]);
  return make_product(request, fusion, node, factors);
}

}  // namespace temper::cpu
