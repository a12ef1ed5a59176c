// The gradient of a convolution's weights. oneDNN lets its threads sum parts of the batch in an order that
// depends on their number; for equal bits the batch is cut into a fixed number of parts, each summed by one
// thread.
#include <algorithm>

#include "base/check.h"
#include "devices/cpu/convolution_shapes.h"
#include "devices/cpu/parts.h"
#include "devices/cpu/post_ops.h"
#include "devices/cpu/winograd.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

using dnnl::memory;
using Description = dnnl::convolution_backward_weights::primitive_desc;

Description describe_gradient(const ConvolutionShapes& shapes, const Descriptor& w) {
  const auto hint = forward_description(shapes, {}, user_scratchpad());
  if (!hint) return {};
  return {engine(),          dnnl::algorithm::convolution_direct,
          shapes.x,          w,
          shapes.y,          shapes.strides,
          shapes.dilations,  shapes.low,
          shapes.high,       hint,
          user_scratchpad(), true};
}

Descriptor any_gradient(const Convolution& conv, DType dtype) {
  return {ConvolutionShapes(conv).any_w.get_dims(), *data_type(dtype), memory::format_tag::any};
}
Descriptor any_gradient(const Convolution& conv) { return any_gradient(conv, conv.gradient); }

// One gradient; the bindings say only where x, dy and the result lie.
Step gradient_step(const Description& description, Binding x, Binding dy, Binding result, int scratch,
                   ScratchPlan& plan) {
  x.argument = DNNL_ARG_SRC;
  x.descriptor = description.src_desc();
  dy.argument = DNNL_ARG_DIFF_DST;
  dy.descriptor = description.diff_dst_desc();
  result.argument = DNNL_ARG_DIFF_WEIGHTS;
  result.descriptor = description.diff_weights_desc();
  std::vector<Binding> bindings{std::move(x), std::move(dy), std::move(result)};
  bind_scratchpad(bindings, description.scratchpad_desc(), scratch, plan);
  return {dnnl::convolution_backward_weights(description), std::move(bindings)};
}

// Where a launch keeps what it reads and writes.
struct Places {
  Places(const KernelRequest& request, const Convolution& conv)
      : slots(request),
        x(position(request.inputs,
                   request.graph.nodes()[static_cast<size_t>(request.cluster.nodes[0])].inputs[0])),
        dy(position(request.inputs,
                    request.graph.nodes()[static_cast<size_t>(request.cluster.nodes[0])].inputs[1])),
        dw(weights_in_memory(conv, conv.gradient, request.output_layouts[0])) {}
  Slots slots;
  int x, dy;
  Descriptor dw;
};

std::unique_ptr<Kernel> make_whole(const Places& places, const Convolution& conv) {
  const ConvolutionShapes shapes(conv);
  const Description description = describe_gradient(shapes, any_gradient(conv));
  if (!description) return nullptr;
  const Descriptor wanted = description.diff_weights_desc();
  const int scratch = places.slots.scratch;
  std::vector<Step> steps;
  ScratchPlan plan;
  const bool direct = wanted == places.dw;
  const int64_t offset = direct ? 0 : plan.take(static_cast<int64_t>(wanted.get_size()));
  const Binding result{.buffer = direct ? places.slots.output : scratch, .offset = offset};
  steps.push_back(
      gradient_step(description, {.buffer = places.x}, {.buffer = places.dy}, result, scratch, plan));
  if (!direct)
    steps.push_back(reorder_step(wanted, scratch, offset, places.dw, places.slots.output, 0, scratch, plan));
  return std::make_unique<StepKernel>(std::move(steps), plan.bytes());
}

// Some of the output channels of a descriptor; none if its blocks are larger than that.
Descriptor channels_of(const Descriptor& whole, int axis, int64_t first, const memory::dims& dims) {
  memory::dims from(dims.size(), 0);
  from[static_cast<size_t>(axis)] = first;
  return whole.submemory_desc(dims, from, true);
}

// Whether two descriptors differ in where they begin alone.
bool same_strides(const Descriptor& a, const Descriptor& b) {
  return a.get_strides() == b.get_strides() && a.get_inner_blks() == b.get_inner_blks() &&
         a.get_inner_idxs() == b.get_inner_idxs();
}

// Each part takes all images and some output channels: nothing is summed, but dy is copied.
std::unique_ptr<Kernel> make_channel_parts(const Places& places, const Convolution& conv, int64_t parts,
                                           int threads) {
  const TeamSize alone(1);
  Convolution part = conv;
  const int64_t channels = conv.w.size(0) / parts;
  part.w[0] = part.y[1] = channels;
  const ConvolutionShapes whole(conv), shapes(part);
  const Description description = describe_gradient(shapes, any_gradient(part));
  if (!description) return nullptr;
  const Descriptor wanted = description.diff_weights_desc();
  const int scratch = places.slots.scratch;
  std::vector<Step> steps;
  ScratchPlan plan;
  // If blocks of the result's layout span parts, the parts meet in a row-major copy first.
  const bool direct = static_cast<bool>(channels_of(places.dw, 0, channels, wanted.get_dims()));
  const Descriptor meeting = direct ? places.dw : weights_in_memory(conv, conv.gradient, kRowMajor);
  const int meeting_buffer = direct ? places.slots.output : scratch;
  const int64_t meeting_offset = direct ? 0 : plan.take(static_cast<int64_t>(meeting.get_size()));
  const bool in_place = same_strides(wanted, channels_of(meeting, 0, channels, wanted.get_dims()));
  const int64_t element = bit_width(conv.gradient) / 8;
  for (int64_t i = 0; i < parts; ++i) {
    const Descriptor dy = channels_of(whole.y, 1, i * channels, shapes.y.get_dims());
    const Descriptor dw = channels_of(meeting, 0, i * channels, wanted.get_dims());
    TEMPER_CHECK(dy && dw, "parts of ", channels, " channels");
    const int64_t dy_offset = plan.take(static_cast<int64_t>(shapes.y.get_size()));
    const Binding result =
        in_place ? Binding{.buffer = meeting_buffer,
                           .offset = meeting_offset + dw.get_submemory_offset() * element}
                 : Binding{.buffer = scratch, .offset = plan.take(static_cast<int64_t>(wanted.get_size()))};
    steps.push_back(reorder_step(dy, places.dy, 0, shapes.y, scratch, dy_offset, scratch, plan));
    steps.push_back(gradient_step(description, {.buffer = places.x}, {.buffer = scratch, .offset = dy_offset},
                                  result, scratch, plan));
    if (!in_place)
      steps.push_back(
          reorder_step(wanted, scratch, result.offset, dw, meeting_buffer, meeting_offset, scratch, plan));
  }
  if (!direct) {
    const TeamSize team(threads);
    steps.push_back(
        reorder_step(meeting, scratch, meeting_offset, places.dw, places.slots.output, 0, scratch, plan));
  }
  const PartsKernel::Order order{.parts = static_cast<size_t>(parts), .steps_per_part = in_place ? 2u : 3u};
  return std::make_unique<PartsKernel>(std::move(steps), order, PartsKernel::Sum(), plan.bytes());
}

// The first `rest` parts hold one image more than the others.
struct BatchParts {
  BatchParts(const Convolution& conv, int64_t parts)
      : small(conv.x.size(0) / parts), rest(conv.x.size(0) % parts) {
    usual = describe(conv, small, any_gradient(conv, DType::f32));
    if (rest > 0 && usual) larger = describe(conv, small + 1, usual.diff_weights_desc());
  }
  static Description describe(Convolution conv, int64_t batch, const Descriptor& w) {
    conv.x[0] = conv.y[0] = batch;
    return describe_gradient(ConvolutionShapes(conv), w);
  }
  explicit operator bool() const { return usual && (rest == 0 || larger); }

  int64_t small, rest;
  Description usual, larger;
};

// Each part takes some images and all channels; the parts are summed in order.
std::unique_ptr<Kernel> make_batch_parts(const Places& places, const Convolution& conv, int64_t parts,
                                         int threads) {
  const TeamSize alone(1);
  const BatchParts batches(conv, parts);
  if (!batches) return nullptr;
  const Descriptor wanted = batches.usual.diff_weights_desc();
  const auto part_bytes = static_cast<int64_t>(wanted.get_size());
  const int64_t x_bytes = byte_size({conv.dtype, conv.x}) / conv.x.size(0);
  const int64_t dy_bytes = byte_size({conv.dtype, conv.y}) / conv.y.size(0);
  const int scratch = places.slots.scratch;
  ScratchPlan plan;
  std::vector<int64_t> results(static_cast<size_t>(parts));
  for (int64_t& result : results) result = plan.take(part_bytes);
  std::vector<Step> steps;
  int64_t image = 0;
  for (int64_t i = 0; i < parts; ++i) {
    const bool larger = i < batches.rest;
    steps.push_back(gradient_step(
        larger ? batches.larger : batches.usual, {.buffer = places.x, .offset = image * x_bytes},
        {.buffer = places.dy, .offset = image * dy_bytes},
        {.buffer = scratch, .offset = results[static_cast<size_t>(i)]}, scratch, plan));
    image += batches.small + (larger ? 1 : 0);
  }
  const bool direct = wanted == places.dw;
  const PartsKernel::Sum sum{.stride = parts > 1 ? results[1] / 4 : 0,
                             .elements = part_bytes / 4,
                             .parts_buffer = scratch,
                             .buffer = direct ? places.slots.output : scratch};
  if (!direct) {
    const TeamSize team(threads);
    steps.push_back(reorder_step(wanted, scratch, 0, places.dw, places.slots.output, 0, scratch, plan));
  }
  return std::make_unique<PartsKernel>(
      std::move(steps), PartsKernel::Order{.parts = static_cast<size_t>(parts)}, sum, plan.bytes());
}

}  // namespace

int64_t best_gradient_layout(const Convolution& conv, int threads) {
  if (winograd_pays(conv)) return winograd_weight_layout();
  const TeamSize team(threads);
  const Description description = describe_gradient(ConvolutionShapes(conv), any_gradient(conv, DType::f32));
  if (!description) return kRowMajor;
  return layout_of(description.diff_weights_desc(), conv.w.rank()).value_or(kRowMajor);
}

std::unique_ptr<Kernel> make_weight_gradient(const KernelRequest& request, const Convolution& conv,
                                             bool deterministic) {
  const Places places(request, conv);
  if (!deterministic) return make_whole(places, conv);
  // What is cheaper: to write the sums of all parts, or to copy dy?
  const bool copies_less = conv.y.elements() < kParts * conv.w.elements();
  if (conv.groups == 1 && conv.w.size(0) % (kParts * 16) == 0 && copies_less)
    return make_channel_parts(places, conv, kParts, request.threads);
  return make_batch_parts(places, conv, batch_parts(conv.x.size(0)), request.threads);
}

}  // namespace temper::cpu
