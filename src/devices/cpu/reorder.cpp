// Moves a tensor from one layout to another: oneDNN for 1-, 2- and 4-byte elements, own loops for the rest.
#include <cstring>

#include "base/check.h"
#include "devices/cpu/onednn.h"
#include "devices/cpu/winograd.h"

namespace temper::cpu {

namespace {

using dnnl::memory;

// Nothing to rearrange.
class CopyKernel : public Kernel {
 public:
  explicit CopyKernel(int64_t bytes) : bytes_(bytes) {}
  void run(void* const* buffers, KernelState*) const override {
    constexpr int64_t kPart = 1 << 16;
    const int64_t parts = (bytes_ + kPart - 1) / kPart;
#pragma omp parallel for if (parts > 4)
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t begin = part * kPart, length = std::min(kPart, bytes_ - begin);
      std::memcpy(static_cast<std::byte*>(buffers[1]) + begin,
                  static_cast<const std::byte*>(buffers[0]) + begin, static_cast<size_t>(length));
    }
  }

 private:
  int64_t bytes_;
};

// Axes of the result, slowest first, with the strides of the source.
struct Walk {
  Ints sizes, steps;
};

template <class Element>
class StridedCopy : public Kernel {
 public:
  explicit StridedCopy(Walk walk) : walk_(std::move(walk)) {}

  void run(void* const* buffers, KernelState*) const override {
    const auto* from = static_cast<const Element*>(buffers[0]);
    auto* to = static_cast<Element*>(buffers[1]);
    const size_t last = walk_.sizes.size() - 1;
    const int64_t inner = walk_.sizes[last], step = walk_.steps[last];
    int64_t rows = 1;
    for (size_t i = 0; i < last; ++i) rows *= walk_.sizes[i];
#pragma omp parallel for if (rows * inner > 1 << 14)
    for (int64_t row = 0; row < rows; ++row) {
      const Element* source = from + offset(row);
      Element* target = to + row * inner;
      for (int64_t i = 0; i < inner; ++i) target[i] = source[i * step];
    }
  }

 private:
  int64_t offset(int64_t row) const {
    int64_t result = 0;
    for (size_t i = walk_.sizes.size() - 1; i-- > 0;) {
      result += row % walk_.sizes[i] * walk_.steps[i];
      row /= walk_.sizes[i];
    }
    return result;
  }

  Walk walk_;
};

Walk walk_of(const Shape& shape, int64_t from, int64_t to) {
  const Ints steps = strides(shape, from);
  const int rank = shape.rank();
  Walk walk;
  const Layout order = to == kRowMajor ? Layout{} : decode(to, rank);
  for (int i = 0; i < rank; ++i) {
    const int axis = to == kRowMajor ? i : order.order[static_cast<size_t>(i)];
    walk.sizes.push_back(shape.size(axis));
    walk.steps.push_back(steps[static_cast<size_t>(axis)]);
  }
  return walk;
}

// oneDNN moves bits; which type it thinks they have does not matter.
std::optional<memory::data_type> carrier(DType dtype) {
  switch (bit_width(dtype)) {
    case 8:
      return memory::data_type::s8;
    case 32:
      return memory::data_type::f32;
    default:
      return dtype == DType::bf16 ? std::optional(memory::data_type::bf16) : std::nullopt;
  }
}

std::unique_ptr<Kernel> make_onednn_reorder(const Type& type, int64_t from, int64_t to) {
  const auto carried = carrier(type.dtype);
  if (!carried) return nullptr;
  const DType dtype = *carried == memory::data_type::s8    ? DType::i8
                      : *carried == memory::data_type::f32 ? DType::f32
                                                           : DType::bf16;
  Descriptor source = descriptor(dtype, type.shape, from), target = descriptor(dtype, type.shape, to);
  // One side may see the groups of a weight as an axis.
  if (source.get_ndims() < target.get_ndims()) source = split_groups(source, target.get_dims()[0]);
  if (target.get_ndims() < source.get_ndims()) target = split_groups(target, source.get_dims()[0]);
  ScratchPlan scratch;
  std::vector<Step> steps{reorder_step(source, 0, 0, target, 1, 0, 2, scratch)};
  return std::make_unique<StepKernel>(std::move(steps), scratch.bytes());
}

// Weights as they are, then in the order that the transform reads, then transformed.
class TransformKernel : public Kernel {
 public:
  TransformKernel(const Type& type, int64_t from)
      : reorder_(make_reorder(type, from, winograd_weight_layout())),
        transform_(make_transform_weights(type.shape)),
        ordered_(plan_.take(byte_size(type))),
        scratch_(plan_.take(reorder_->scratch_bytes())) {}
  void run(void* const* buffers, KernelState* state) const override {
    auto* scratch = static_cast<std::byte*>(buffers[2]);
    void* const before[] = {buffers[0], scratch + ordered_, scratch + scratch_};
    reorder_->run(before, state);
    void* const after[] = {scratch + ordered_, buffers[1]};
    transform_->run(after, nullptr);
  }
  int64_t scratch_bytes() const override { return plan_.bytes(); }
  std::unique_ptr<KernelState> make_state() const override { return reorder_->make_state(); }

 private:
  ScratchPlan plan_;
  const std::unique_ptr<Kernel> reorder_, transform_;
  const int64_t ordered_, scratch_;
};

}  // namespace

std::unique_ptr<Kernel> make_reorder(const Type& type, int64_t from, int64_t to) {
  if (type.shape.elements() == 0 || same_memory(type.shape, from, to))
    return std::make_unique<CopyKernel>(stored_bytes(type, from));
  TEMPER_CHECK(!is_packed(type.dtype) && from != kTransformed, "reorder of ", to_string(type));
  if (to == kTransformed) return std::make_unique<TransformKernel>(type, from);
  if (auto kernel = make_onednn_reorder(type, from, to)) return kernel;
  Walk walk = walk_of(type.shape, from, to);
  switch (bit_width(type.dtype)) {
    case 8:
      return std::make_unique<StridedCopy<uint8_t>>(std::move(walk));
    case 16:
      return std::make_unique<StridedCopy<uint16_t>>(std::move(walk));
    case 32:
      return std::make_unique<StridedCopy<uint32_t>>(std::move(walk));
    default:
      return std::make_unique<StridedCopy<uint64_t>>(std::move(walk));
  }
}

void move_layout(const Type& type, const void* from, int64_t from_layout, void* to, int64_t to_layout) {
  if (same_memory(type.shape, from_layout, to_layout)) {  // often within a step, where nothing is allocated
    void* const buffers[] = {const_cast<void*>(from), to};
    return CopyKernel(stored_bytes(type, from_layout)).run(buffers, nullptr);
  }
  const std::unique_ptr<Kernel> kernel = make_reorder(type, from_layout, to_layout);
  const Tensor scratch(Type{DType::u8, {kernel->scratch_bytes()}});
  void* const buffers[] = {const_cast<void*>(from), to, scratch.storage()->data};
  kernel->run(buffers, kernel->make_state().get());
}

}  // namespace temper::cpu
