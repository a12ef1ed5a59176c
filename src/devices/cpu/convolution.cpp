#include "devices/cpu/convolution.h"

#include <algorithm>

#include "base/check.h"
#include "devices/cpu/convolution_shapes.h"
#include "devices/cpu/fusion.h"
#include "devices/cpu/parts.h"
#include "devices/cpu/post_ops.h"
#include "devices/cpu/winograd.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

using dnnl::memory;

bool all_of(const Ints& values, int64_t least, int64_t most) {
  return std::all_of(values.begin(), values.end(), [&](int64_t v) { return v >= least && v <= most; });
}

constexpr int64_t kMost = INT32_MAX;

}  // namespace

std::optional<Convolution> convolution_of(const Graph& graph, const Node& node) {
  const std::string_view name = node.op->name;
  const auto shape = [&](size_t i) -> const Shape& { return graph.type(node.inputs[i]).shape; };
  const Shape& result = node.outputs[0].shape;
  if (node.inputs.size() < 2) return std::nullopt;
  Convolution conv{.dtype = graph.type(node.inputs[0]).dtype, .gradient = node.outputs[0].dtype};
  if (name == "conv2d" || name == "conv_general") {
    conv.x = shape(0), conv.w = shape(1), conv.y = result;
  } else if (name == "conv_input_grad") {
    conv.x = result, conv.w = shape(1), conv.y = shape(0);
  } else if (name == "conv_weight_grad") {
    conv.x = shape(0), conv.w = result, conv.y = shape(1);
  } else {
    return std::nullopt;
  }
  const Attributes& attributes = node.attributes;
  const bool general = name == "conv_general";
  conv.strides = attributes.get<Ints>("strides");
  conv.low = attributes.get<Ints>("low");
  conv.high = attributes.get<Ints>("high");
  conv.dilations = attributes.get<Ints>(general ? "w_dilation" : "dilations");
  conv.groups = attributes.get<int64_t>("groups");
  if (general &&
      (!all_of(attributes.get<Ints>("x_dilation"), 1, 1) || attributes.get<int64_t>("batch_groups") != 1))
    return std::nullopt;
  const bool whole = conv.x.elements() > 0 && conv.w.elements() > 0 && conv.y.elements() > 0;
  const bool small = all_of(conv.x.sizes(), 1, kMost) && all_of(conv.w.sizes(), 1, kMost);
  const bool known = conv.dtype == DType::f32 || conv.dtype == DType::bf16 || conv.dtype == DType::f16;
  if (!known || !whole || !small || conv.x.rank() < 3 || conv.x.rank() > 5) return std::nullopt;
  if (!all_of(conv.low, 0, kMost) || !all_of(conv.high, 0, kMost)) return std::nullopt;
  return conv;
}

ConvolutionShapes::ConvolutionShapes(const Convolution& conv)
    : strides(conv.strides), low(conv.low), high(conv.high), groups(conv.groups) {
  const memory::data_type type = *data_type(conv.dtype);
  const int64_t order = channels_last(conv.x.rank());
  for (const int64_t dilation : conv.dilations) dilations.push_back(dilation - 1);
  x = descriptor(conv.dtype, conv.x, order);
  y = descriptor(conv.dtype, conv.y, order);
  memory::dims dims = dims_of(conv.w);
  if (groups > 1) {
    dims[0] /= groups;
    dims.insert(dims.begin(), groups);
  }
  any_w = Descriptor(dims, type, memory::format_tag::any);
}

dnnl::convolution_forward::primitive_desc forward_description(const ConvolutionShapes& shapes,
                                                              const Descriptor& bias,
                                                              const dnnl::primitive_attr& attributes) {
  const auto kind = dnnl::prop_kind::forward_training;
  const auto algorithm = dnnl::algorithm::convolution_direct;
  if (bias.is_zero())
    return {engine(),         kind,       algorithm,   shapes.x,   shapes.any_w, shapes.y, shapes.strides,
            shapes.dilations, shapes.low, shapes.high, attributes, true};
  return {engine(),         kind,       algorithm,   shapes.x,   shapes.any_w, bias, shapes.y, shapes.strides,
          shapes.dilations, shapes.low, shapes.high, attributes, true};
}

int64_t best_weight_layout(const Convolution& conv, int threads, bool may_fill) {
  if (conv.dtype == DType::f32 && winograd_pays(conv)) return winograd_weight_layout();
  const TeamSize team(threads);
  const ConvolutionShapes shapes(conv);
  const auto description = forward_description(shapes, {}, user_scratchpad());
  if (!description) return kRowMajor;
  return layout_of(description.weights_desc(), conv.w.rank(), may_fill).value_or(kRowMajor);
}

Descriptor weights_in_memory(const Convolution& conv, DType dtype, int64_t layout) {
  const Descriptor given = descriptor(dtype, conv.w, layout);
  return conv.groups > 1 && given.get_ndims() == conv.w.rank() ? split_groups(given, conv.groups) : given;
}

namespace {

// If the kernel wants other weights than those in memory, a reorder into scratch comes first.
Binding bind_weights(const KernelRequest& request, const Convolution& conv, const Descriptor& wanted,
                     std::vector<Step>& steps, ScratchPlan& plan) {
  const Value weights =
      weights_of(request.graph, request.graph.nodes()[static_cast<size_t>(request.cluster.nodes[0])]);
  const int buffer = position(request.inputs, weights), scratch = Slots(request).scratch;
  const Descriptor present = weights_in_memory(conv, request.graph.type(weights).dtype,
                                               request.input_layouts[static_cast<size_t>(buffer)]);
  if (wanted == present) return {DNNL_ARG_WEIGHTS, wanted, buffer};
  const int64_t offset = plan.take(static_cast<int64_t>(wanted.get_size()));
  steps.push_back(reorder_step(present, buffer, 0, wanted, scratch, offset, scratch, plan));
  return {DNNL_ARG_WEIGHTS, wanted, scratch, offset};
}

std::unique_ptr<Kernel> make_forward(const KernelRequest& request, const Convolution& conv) {
  const Fusion fusion = read_fusion(request.graph, request.cluster);
  const Node& node = request.graph.nodes()[static_cast<size_t>(fusion.node)];
  const ConvolutionShapes shapes(conv);
  const Slots slots(request);
  dnnl::primitive_attr attributes = user_scratchpad();
  std::vector<Binding> bindings = bind_follows(attributes, plain_follows(fusion), shapes.y, request);
  Descriptor bias;
  if (fusion.bias) {
    const DType dtype = request.graph.type(fusion.bias).dtype;
    bias = Descriptor({conv.w.size(0)}, *data_type(dtype), memory::format_tag::a);
    bindings.push_back({DNNL_ARG_BIAS, bias, position(request.inputs, fusion.bias)});
  }
  const auto description = forward_description(shapes, bias, attributes);
  if (!description) return nullptr;
  std::vector<Step> steps;
  ScratchPlan scratch;
  bindings.push_back(bind_weights(request, conv, description.weights_desc(), steps, scratch));
  bindings.push_back({DNNL_ARG_SRC, shapes.x, position(request.inputs, node.inputs[0])});
  bindings.push_back({DNNL_ARG_DST, shapes.y, slots.output});
  bind_scratchpad(bindings, description.scratchpad_desc(), slots.scratch, scratch);
  steps.push_back({dnnl::convolution_forward(description), std::move(bindings)});
  return std::make_unique<StepKernel>(std::move(steps), scratch.bytes());
}

using InputGradient = dnnl::convolution_backward_data::primitive_desc;

InputGradient describe_input_gradient(const Convolution& conv, int64_t batch, const Descriptor* w) {
  Convolution part = conv;
  part.x[0] = part.y[0] = batch;
  const ConvolutionShapes shapes(part);
  const auto hint = forward_description(shapes, {}, user_scratchpad());
  if (!hint) return {};
  return {engine(),          dnnl::algorithm::convolution_direct,
          shapes.x,          w ? *w : shapes.any_w,
          shapes.y,          shapes.strides,
          shapes.dilations,  shapes.low,
          shapes.high,       hint,
          user_scratchpad(), true};
}

// Of kernels for strides, oneDNN chooses one by the number of threads, and with it the order of the sums.
bool depends_on_team(const Convolution& conv) { return !all_of(conv.strides, 1, 1); }

// Parts of the batch, one after the other in x and dy.
std::unique_ptr<Kernel> make_input_gradient(const KernelRequest& request, const Convolution& conv,
                                            bool deterministic) {
  const Node& node = request.graph.nodes()[static_cast<size_t>(request.cluster.nodes[0])];
  const Slots slots(request);
  const int dy = position(request.inputs, node.inputs[0]);
  if (is_strided_depthwise(conv)) {
    const Value source = weights_of(request.graph, node);
    const int w = position(request.inputs, source);
    const Descriptor present = weights_in_memory(conv, request.graph.type(source).dtype,
                                                 request.input_layouts[static_cast<size_t>(w)]);
    return make_depthwise_gradient(conv, present, w, {dy, slots.output, slots.scratch});
  }
  const int64_t batch = conv.x.size(0);
  const bool cut = deterministic && depends_on_team(conv);
  const int64_t parts = cut ? batch_parts(batch) : 1;
  const TeamSize team(cut ? 1 : request.threads);
  const InputGradient usual = describe_input_gradient(conv, batch / parts, nullptr);
  if (!usual) return nullptr;
  const Descriptor weights = usual.weights_desc();
  const InputGradient larger =
      batch % parts > 0 ? describe_input_gradient(conv, batch / parts + 1, &weights) : usual;
  if (!larger) return nullptr;
  std::vector<Step> steps;
  ScratchPlan scratch;
  const Binding bound_weights = bind_weights(request, conv, weights, steps, scratch);
  const size_t before = steps.size();
  const int64_t x_bytes = byte_size({conv.dtype, conv.x}) / batch,
                dy_bytes = byte_size({conv.dtype, conv.y}) / batch;
  int64_t image = 0;
  for (int64_t part = 0; part < parts; ++part) {
    const bool one_more = part < batch % parts;
    const InputGradient& description = one_more ? larger : usual;
    std::vector<Binding> bindings{
        bound_weights,
        {DNNL_ARG_DIFF_DST, description.diff_dst_desc(), dy, image * dy_bytes},
        {DNNL_ARG_DIFF_SRC, description.diff_src_desc(), slots.output, image * x_bytes}};
    bind_scratchpad(bindings, description.scratchpad_desc(), slots.scratch, scratch);
    steps.push_back({dnnl::convolution_backward_data(description), std::move(bindings)});
    image += batch / parts + (one_more ? 1 : 0);
  }
  if (!cut) return std::make_unique<StepKernel>(std::move(steps), scratch.bytes());
  const PartsKernel::Order order{.before = before, .parts = static_cast<size_t>(parts)};
  return std::make_unique<PartsKernel>(std::move(steps), order, PartsKernel::Sum(), scratch.bytes());
}

}  // namespace

std::unique_ptr<Kernel> make_convolution(const KernelRequest& request, bool deterministic) {
  const Node& node = request.graph.nodes()[static_cast<size_t>(request.cluster.nodes[0])];
  const std::optional<Convolution> conv = convolution_of(request.graph, node);
  if (!conv) return nullptr;
  if (auto kernel = make_winograd(request, *conv)) return kernel;
  const TeamSize team(request.threads);
  const std::string_view name = node.op->name;
  if (name == "conv_input_grad") return make_input_gradient(request, *conv, deterministic);
  if (name == "conv_weight_grad") return make_weight_gradient(request, *conv, deterministic);
  return make_forward(request, *conv);
}

}  // namespace temper::cpu
