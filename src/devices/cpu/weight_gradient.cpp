// The gradient of a convolution's weights. oneDNN lets its threads sum parts of the batch in an order that
// depends on their number; for equal bits the batch is cut into a fixed number of parts, each summed by one
// thread.
#include <algorithm>
#include <atomic>

#include "base/check.h"
#include "devices/cpu/convolution_shapes.h"
#include "devices/cpu/post_ops.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

using dnnl::memory;
using Description = dnnl::convolution_backward_weights::primitive_desc;

constexpr int64_t kParts = 4;

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

// One sum over a part of the batch: buffers 0 is x, 1 is dy, `result` the partial sum in scratch.
Step gradient_step(const Description& description, int64_t x_offset, int64_t dy_offset, Binding result,
                   int scratch, ScratchPlan& plan) {
  result.argument = DNNL_ARG_DIFF_WEIGHTS;
  result.descriptor = description.diff_weights_desc();
  const Descriptor own = description.scratchpad_desc();
  return {dnnl::convolution_backward_weights(description),
          {{DNNL_ARG_SRC, description.src_desc(), 0, x_offset},
           {DNNL_ARG_DIFF_DST, description.diff_dst_desc(), 1, dy_offset},
           std::move(result),
           {DNNL_ARG_SCRATCHPAD, own, scratch, plan.take(static_cast<int64_t>(own.get_size()))}}};
}

// result[i] = parts[0][i] + parts[1][i] + ...; the parts follow each other `stride` elements apart.
void sum_parts(const float* parts, int64_t stride, int64_t count, int64_t elements, float* result) {
  constexpr int64_t kChunk = 4096;
  const int64_t chunks = (elements + kChunk - 1) / kChunk;
#pragma omp parallel for if (chunks > 4)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t end = std::min(elements, (chunk + 1) * kChunk);
    for (int64_t i = chunk * kChunk; i < end; ++i) {
      float sum = parts[i];
      for (int64_t part = 1; part < count; ++part) sum += parts[part * stride + i];
      result[i] = sum;
    }
  }
}

class PartsKernel : public Kernel {
 public:
  struct Sum {
    int64_t stride, elements;  // of f32
    int buffer;
    int64_t offset;  // bytes
  };
  // The first `parts` steps may run at once; their results follow each other from the start of the scratch.
  PartsKernel(std::vector<Step> steps, int64_t parts, Sum sum, int scratch, int64_t scratch_bytes)
      : steps_(std::move(steps)),
        parts_(parts),
        sum_(sum),
        scratch_(scratch),
        scratch_bytes_(scratch_bytes) {}

  int64_t scratch_bytes() const override { return scratch_bytes_; }
  std::unique_ptr<KernelState> make_state() const override { return std::make_unique<BoundSteps>(steps_); }

  void run(void* const* buffers, KernelState* state) const override {
    auto& bound = static_cast<BoundSteps&>(*state);
    std::atomic<bool> failed = false;  // no exception may leave a parallel region
#pragma omp parallel for schedule(static)
    for (int64_t part = 0; part < parts_; ++part) {
      try {
        bound.run(static_cast<size_t>(part), buffers);
      } catch (...) {
        failed = true;
      }
    }
    TEMPER_CHECK(!failed, "a part of a weight gradient failed");
    auto* result = reinterpret_cast<float*>(static_cast<std::byte*>(buffers[sum_.buffer]) + sum_.offset);
    sum_parts(static_cast<const float*>(buffers[scratch_]), sum_.stride, parts_, sum_.elements, result);
    for (size_t i = static_cast<size_t>(parts_); i < steps_.size(); ++i) bound.run(i, buffers);
  }

 private:
  std::vector<Step> steps_;
  int64_t parts_;
  Sum sum_;
  int scratch_;
  int64_t scratch_bytes_;
};

std::unique_ptr<Kernel> make_whole(const KernelRequest& request, const Convolution& conv) {
  const Slots slots(request);
  const Description description = describe_gradient(ConvolutionShapes(conv), ConvolutionShapes(conv).any_w);
  if (!description) return nullptr;
  const Descriptor present = weights_in_memory(conv, request.output_layouts[0]);
  const Descriptor wanted = description.diff_weights_desc();
  std::vector<Step> steps;
  ScratchPlan plan;
  const bool direct = wanted == present;
  const int64_t offset = direct ? 0 : plan.take(static_cast<int64_t>(wanted.get_size()));
  const Binding result{.buffer = direct ? slots.output : slots.scratch, .offset = offset};
  steps.push_back(gradient_step(description, 0, 0, result, slots.scratch, plan));
  if (!direct)
    steps.push_back(
        reorder_step(wanted, slots.scratch, offset, present, slots.output, 0, slots.scratch, plan));
  return std::make_unique<StepKernel>(std::move(steps), plan.bytes());
}

// Descriptions for the two sizes of part that a batch of any size falls into.
struct PartDescriptions {
  PartDescriptions(const Convolution& conv, int64_t parts) : small(conv.x.size(0) / parts) {
    const TeamSize alone(1);
    rest = conv.x.size(0) % parts;
    by_size[0] = describe(conv, small, nullptr);
    if (rest > 0 && by_size[0]) {
      const Descriptor fixed = by_size[0].diff_weights_desc();
      by_size[1] = describe(conv, small + 1, &fixed);
    }
  }
  static Description describe(Convolution conv, int64_t batch, const Descriptor* w) {
    conv.x[0] = conv.y[0] = batch;
    ConvolutionShapes shapes(conv);
    Descriptor weights =
        w ? *w : Descriptor(shapes.any_w.get_dims(), memory::data_type::f32, memory::format_tag::any);
    return describe_gradient(shapes, weights);
  }
  explicit operator bool() const { return by_size[0] && (rest == 0 || by_size[1]); }

  int64_t small, rest;  // the first `rest` parts hold one sample more
  Description by_size[2];
};

std::unique_ptr<Kernel> make_parts(const KernelRequest& request, const Convolution& conv, int64_t parts) {
  const Slots slots(request);
  const PartDescriptions descriptions(conv, parts);
  if (!descriptions) return nullptr;
  const Descriptor wanted = descriptions.by_size[0].diff_weights_desc();
  const Descriptor present = weights_in_memory(conv, request.output_layouts[0]);
  const auto part_bytes = static_cast<int64_t>(wanted.get_size());
  const int64_t x_bytes = byte_size({conv.dtype, conv.x}) / conv.x.size(0);
  const int64_t y_bytes = byte_size({conv.dtype, conv.y}) / conv.y.size(0);
  ScratchPlan plan;
  std::vector<int64_t> offsets;
  for (int64_t part = 0; part < parts; ++part) offsets.push_back(plan.take(part_bytes));
  std::vector<Step> steps;
  int64_t first = 0;
  const TeamSize alone(1);
  for (int64_t part = 0; part < parts; ++part) {
    const bool larger = part < descriptions.rest;
    steps.push_back(gradient_step(descriptions.by_size[larger ? 1 : 0], first * x_bytes, first * y_bytes,
                                  {.buffer = slots.scratch, .offset = offsets[static_cast<size_t>(part)]},
                                  slots.scratch, plan));
    first += descriptions.small + (larger ? 1 : 0);
  }
  const bool direct = wanted == present;
  PartsKernel::Sum sum{.stride = parts > 1 ? offsets[1] / 4 : 0,
                       .elements = part_bytes / 4,
                       .buffer = direct ? slots.output : slots.scratch,
                       .offset = 0};
  if (!direct) {
    const TeamSize team(request.threads);
    steps.push_back(reorder_step(wanted, slots.scratch, 0, present, slots.output, 0, slots.scratch, plan));
  }
  return std::make_unique<PartsKernel>(std::move(steps), parts, sum, slots.scratch, plan.bytes());
}

}  // namespace

std::unique_ptr<Kernel> make_weight_gradient(const KernelRequest& request, const Convolution& conv,
                                             bool deterministic) {
  TEMPER_CHECK(request.inputs.size() == 2, "a weight gradient of one tensor with itself");
  return deterministic ? make_parts(request, conv, std::min(kParts, conv.x.size(0)))
                       : make_whole(request, conv);
}

}  // namespace temper::cpu
