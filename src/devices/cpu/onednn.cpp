#include "devices/cpu/onednn.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl_debug.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "base/check.h"

namespace temper::cpu {

using dnnl::memory;

const dnnl::engine& engine() {
  static const dnnl::engine the_engine(dnnl::engine::kind::cpu, 0);
  return the_engine;
}

std::optional<memory::data_type> data_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return memory::data_type::f32;
    case DType::bf16:
      return memory::data_type::bf16;
    case DType::f16:
      return memory::data_type::f16;
    case DType::i32:
      return memory::data_type::s32;
    case DType::i8:
      return memory::data_type::s8;
    case DType::u8:
      return memory::data_type::u8;
    default:
      return std::nullopt;
  }
}

memory::dims dims_of(const Shape& shape) { return shape.sizes(); }

bool has_bf16_kernels() {
  static const bool has = [] {
    const Descriptor square({16, 16}, memory::data_type::bf16, memory::format_tag::ab);
    return static_cast<bool>(
        dnnl::matmul::primitive_desc(engine(), square, square, square, dnnl::primitive_attr(), true));
  }();
  return has;
}

bool has_bf16_tiles() {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  return isa == dnnl::cpu_isa::avx512_core_amx || isa == dnnl::cpu_isa::avx512_core_amx_fp16;
}

bool has_int8_kernels() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_vnni:
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_fp16:
    case dnnl::cpu_isa::avx512_core_amx:
    case dnnl::cpu_isa::avx512_core_amx_fp16:
      return true;
    default:  // pairs of products are summed in 16 bits, and 3.2's kernels for AVX2 err where odd channels
              // are added
      return false;
  }
}

namespace {

// oneDNN's tag of that name; undef if it has none. It looks a name up by trying all, so that is done once.
memory::format_tag tag_named(const std::string& name) {
  static const auto tags = [] {
    std::unordered_map<std::string_view, memory::format_tag> tags;
    for (int tag = dnnl_a; tag < dnnl_format_tag_last; ++tag)
      tags.emplace(dnnl_fmt_tag2str(static_cast<dnnl_format_tag_t>(tag)),
                   static_cast<memory::format_tag>(tag));
    return tags;
  }();
  const auto found = tags.find(name);
  return found == tags.end() ? memory::format_tag::undef : found->second;
}

Descriptor blocked(const memory::dims& dims, memory::data_type type, int64_t layout, int rank) {
  const memory::format_tag tag = tag_named(describe(layout, rank));
  TEMPER_CHECK(tag != memory::format_tag::undef, "layout ", describe(layout, rank));
  return Descriptor(dims, type, tag);
}

Descriptor descriptor_of(memory::data_type type, const Shape& shape, int64_t layout) {
  memory::dims dims = dims_of(shape);
  if (is_permutation(layout)) return Descriptor(dims, type, strides(shape, layout));
  if (const int groups = decode(layout, shape.rank()).groups; groups > 1) {
    dims[0] /= groups;
    dims.insert(dims.begin(), groups);
  }
  return blocked(dims, type, layout, shape.rank());
}

}  // namespace

Descriptor descriptor(DType dtype, const Shape& shape, int64_t layout) {
  const auto type = data_type(dtype);
  TEMPER_CHECK(type, "oneDNN has no ", to_string(dtype));
  return descriptor_of(*type, shape, layout);
}

std::optional<int64_t> layout_of(const Descriptor& given, int rank, bool may_fill) {
  const int axes = given.get_ndims();
  if (given.get_format_kind() != memory::format_kind::blocked || axes > Layout::kMaxRank) return std::nullopt;
  if (!may_fill && given.get_padded_dims() != given.get_dims()) return std::nullopt;
  if (given.get_submemory_offset() != 0) return std::nullopt;
  const memory::dims dims = given.get_dims(), steps = given.get_strides(), inner = given.get_inner_blks(),
                     inner_axes = given.get_inner_idxs();
  if (given.get_inner_nblks() > Layout::kMaxBlocks) return std::nullopt;
  Layout layout{.rank = axes, .block_count = given.get_inner_nblks()};
  if (axes == rank + 1) layout.groups = static_cast<int>(dims[0]);
  std::iota(layout.order.begin(), layout.order.begin() + axes, 0);
  std::stable_sort(layout.order.begin(), layout.order.begin() + axes, [&](int a, int b) {
    const auto i = static_cast<size_t>(a), j = static_cast<size_t>(b);
    return steps[i] != steps[j] ? steps[i] > steps[j] : dims[i] > dims[j];
  });
  for (size_t i = 0; i < static_cast<size_t>(layout.block_count); ++i)
    layout.blocks[i] = {static_cast<int>(inner_axes[i]), static_cast<int>(inner[i])};
  const std::optional<int64_t> id = encode(layout);
  if (!id) return std::nullopt;
  // The same name must give the same descriptor: this rules out gaps and extra data such as compensation.
  const memory::format_tag tag = tag_named(describe(*id, rank));
  if (tag == memory::format_tag::undef || Descriptor(dims, given.get_data_type(), tag) != given)
    return std::nullopt;
  return id;
}

Descriptor split_groups(const Descriptor& row_major, int64_t groups) {
  memory::dims dims = row_major.get_dims();
  dims[0] /= groups;
  dims.insert(dims.begin(), groups);
  return row_major.reshape(dims);
}

TeamSize::TeamSize(int threads) : before_(omp_get_max_threads()) {
  if (threads != before_) omp_set_num_threads(threads);
}
TeamSize::~TeamSize() {
  if (omp_get_max_threads() != before_) omp_set_num_threads(before_);
}

BoundSteps::BoundSteps(std::span<const Step> steps) {
  for (const Step& step : steps) {
    Bound bound{.step = &step, .stream = dnnl::stream(engine())};
    for (const Binding& binding : step.bindings) {
      bound.memories.emplace_back(binding.descriptor, engine(), binding.own);
      bound.arguments.push_back({binding.argument, bound.memories.back().get()});
    }
    bound_.push_back(std::move(bound));
  }
}

void BoundSteps::run(size_t step, void* const* buffers) {
  Bound& bound = bound_[step];
  for (size_t i = 0; i < bound.memories.size(); ++i) {
    const Binding& binding = bound.step->bindings[i];
    if (binding.own) continue;
    bound.memories[i].set_data_handle(static_cast<std::byte*>(buffers[binding.buffer]) + binding.offset);
  }
  const dnnl_status_t status =
      dnnl_primitive_execute(bound.step->primitive.get(), bound.stream.get(),
                             static_cast<int>(bound.arguments.size()), bound.arguments.data());
  TEMPER_CHECK(status == dnnl_success, "oneDNN: ", dnnl_status2str(status));
}

void StepKernel::run(void* const* buffers, KernelState* state) const {
  auto& bound = static_cast<BoundSteps&>(*state);
  for (size_t i = 0; i < steps_.size(); ++i) bound.run(i, buffers);
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

void bind_scratchpad(std::vector<Binding>& bindings, const Descriptor& wanted, int scratch,
                     ScratchPlan& plan) {
  if (const auto bytes = static_cast<int64_t>(wanted.get_size()); bytes > 0)
    bindings.push_back({DNNL_ARG_SCRATCHPAD, wanted, scratch, plan.take(bytes)});
}

Step reorder_step(const Descriptor& from, int from_buffer, int64_t from_offset, const Descriptor& to,
                  int to_buffer, int64_t to_offset, int scratch, ScratchPlan& plan) {
  const dnnl::reorder::primitive_desc description(engine(), from, engine(), to, user_scratchpad());
  Step step{dnnl::reorder(description),
            {{DNNL_ARG_FROM, from, from_buffer, from_offset}, {DNNL_ARG_TO, to, to_buffer, to_offset}}};
  bind_scratchpad(step.bindings, description.scratchpad_desc(), scratch, plan);
  return step;
}

}  // namespace temper::cpu
