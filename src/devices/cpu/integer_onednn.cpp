// A convolution or matrix product of 8-bit integers through oneDNN.
#include <mutex>

#include "base/check.h"
#include "devices/cpu/convolution_shapes.h"
#include "devices/cpu/integer_contraction.h"
#include "devices/cpu/post_ops.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

using dnnl::memory;

// One kernel over weights it has packed for itself, once, when it is first made ready to run.
class PackedKernel : public Kernel {
 public:
  struct Weights {
    Tensor values;
    Descriptor plain, packed;
  };

  // zero: of x, where the bias does not hold what it brings
  PackedKernel(Weights weights, Numbers numbers, int32_t zero)
      : weights_(std::move(weights)),
        numbers_(std::move(numbers)),
        zero_(zero),
        packed_(Type{DType::u8, {static_cast<int64_t>(weights_.packed.get_size())}}) {}

  Binding bind_weights() { return fixed(DNNL_ARG_WEIGHTS, weights_.packed, packed_.mutable_data()); }
  Binding bind_scales() {
    return fixed(DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, vector_of(numbers_.scales.size()),
                 numbers_.scales.data());
  }
  Binding bind_bias(const Descriptor& bias) { return fixed(DNNL_ARG_BIAS, bias, numbers_.bias.data()); }
  Binding bind_zero() {
    return fixed(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC,
                 Descriptor({1}, memory::data_type::s32, memory::format_tag::a), &zero_);
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
  int32_t zero_;
  mutable Tensor packed_;
  mutable std::once_flag once_;
  std::vector<Step> steps_;
  int64_t scratch_bytes_ = 0;
};

// Adds to `bindings` what both kinds of contraction bind alike, and the step to the kernel.
template <class Primitive, class Description>
void finish(PackedKernel& kernel, const Description& description, const KernelRequest& request, Value x,
            int32_t zero, const Descriptor& bias, std::vector<Binding> bindings) {
  const Slots slots(request);
  ScratchPlan scratch;
  bindings.push_back({DNNL_ARG_SRC, description.src_desc(), position(request.inputs, x)});
  bindings.push_back({DNNL_ARG_DST, description.dst_desc(), slots.output});
  bind_scratchpad(bindings, description.scratchpad_desc(), slots.scratch, scratch);
  bindings.push_back(kernel.bind_weights());
  bindings.push_back(kernel.bind_scales());
  bindings.push_back(kernel.bind_bias(bias));
  if (zero != 0) bindings.push_back(kernel.bind_zero());
  kernel.set_step({Primitive(description), std::move(bindings)}, scratch.bytes());
}

bool any_over_zero(const Ints& values) {
  return std::ranges::any_of(values, [](int64_t value) { return value > 0; });
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
  const Follows follows(fusion);
  PackedKernel::Weights weights{integers_around_zero(request.graph, factors.weights), {}, {}};
  weights.plain = descriptor(DType::i8, conv.w, kRowMajor);
  if (conv.groups > 1) weights.plain = split_groups(weights.plain, conv.groups);
  // At the edges x counts as 0 and not as its zero point, so what that brings is no constant.
  const bool pads = any_over_zero(conv.low) || any_over_zero(conv.high);
  const int32_t zero = pads ? factors.x.scaling.zero : 0;
  Numbers numbers = numbers_of(request.graph, factors, weights.values, follows.first, !pads);
  dnnl::primitive_attr attributes = user_scratchpad();
  attributes.set_scales_mask(DNNL_ARG_WEIGHTS, conv.groups > 1 ? 3 : 1);
  if (zero != 0) attributes.set_zero_points_mask(DNNL_ARG_SRC, 0);
  std::vector<Binding> added = bind_follows(attributes, follows.steps, shapes.y, request);
  const Descriptor bias({conv.w.size(0)}, memory::data_type::f32, memory::format_tag::a);
  const auto description = forward_description(shapes, bias, attributes);
  TEMPER_CHECK(description, "oneDNN has no convolution of integers");
  weights.packed = description.weights_desc();
  auto kernel = std::make_unique<PackedKernel>(std::move(weights), std::move(numbers), zero);
  finish<dnnl::convolution_forward>(*kernel, description, request, factors.x.integers, zero, bias,
                                    std::move(added));
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
  const Follows follows(fusion);
  PackedKernel::Weights weights{integers_around_zero(request.graph, factors.weights), {}, {}};
  weights.plain = Descriptor({depth, columns}, memory::data_type::s8,
                             factors.channel_axis == 1 ? memory::format_tag::ab : memory::format_tag::ba);
  Numbers numbers = numbers_of(request.graph, factors, weights.values, follows.first, true);
  dnnl::primitive_attr attributes = user_scratchpad();
  attributes.set_scales_mask(DNNL_ARG_WEIGHTS, 2);
  std::vector<Binding> added = bind_follows(attributes, follows.steps, target, request);
  const dnnl::matmul::primitive_desc description(engine(), source, any, bias, target, attributes, true);
  TEMPER_CHECK(description, "oneDNN has no product of integers");
  weights.packed = description.weights_desc();
  auto kernel = std::make_unique<PackedKernel>(std::move(weights), std::move(numbers), 0);
  finish<dnnl::matmul>(*kernel, description, request, factors.x.integers, 0, bias, std::move(added));
  return kernel;
}

}  // namespace

std::unique_ptr<Kernel> make_onednn_integers(const KernelRequest& request, const Fusion& fusion,
                                             const Factors& factors) {
  const Node& node = request.graph.nodes()[static_cast<size_t>(fusion.node)];
  const TeamSize team(request.threads);
  return node.op->name == "conv2d" ? make_convolution(request, fusion, node, factors)
                                   : make_product(request, fusion, node, factors);
}

}  // namespace temper::cpu
