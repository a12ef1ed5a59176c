#pragma once
// oneDNN behind the words of this folder: descriptors from layouts and back, primitives as Kernels.
#include <oneapi/dnnl/dnnl.hpp>

#include "devices/cpu/kernel.h"

namespace temper::cpu {

using Descriptor = dnnl::memory::desc;

const dnnl::engine& engine();
std::optional<dnnl::memory::data_type> data_type(DType dtype);  // none: oneDNN cannot store it
dnnl::memory::dims dims_of(const Shape& shape);
bool has_bf16_kernels();  // for convolutions and matmul, on this processor
bool has_bf16_tiles();    // kernels that multiply whole tiles (AMX)
bool has_int8_kernels();  // the same, that never err: their sums of products do not saturate

// Of a Value in a layout. A grouped layout splits axis 0: [groups, size / groups, ...].
Descriptor descriptor(DType dtype, const Shape& shape, int64_t layout);
// The layout that a descriptor of a Value of rank `rank` means; none if it cannot be named, or fills blocks
// with zeros and must not.
std::optional<int64_t> layout_of(const Descriptor& descriptor, int rank, bool may_fill = false);

// How oneDNN sees the weights of a grouped convolution that lie row-major.
Descriptor split_groups(const Descriptor& row_major, int64_t groups);

// While it lives, primitives are made for, and parallel regions of this thread run on, `threads` threads.
class TeamSize {
 public:
  explicit TeamSize(int threads);
  ~TeamSize();
  TeamSize(const TeamSize&) = delete;
  TeamSize& operator=(const TeamSize&) = delete;

 private:
  int before_;
};

// One memory argument of a primitive: `offset` bytes into buffer number `buffer` of the launch, or memory of
// the kernel's own.
struct Binding {
  int argument;  // DNNL_ARG_...
  Descriptor descriptor;
  int buffer;
  int64_t offset = 0;
  void* own = nullptr;
};

struct Step {
  dnnl::primitive primitive;
  std::vector<Binding> bindings;
};

// Steps bound to memory objects of their own, ready to run.
class BoundSteps : public KernelState {
 public:
  explicit BoundSteps(std::span<const Step> steps);
  void run(size_t step, void* const* buffers);

 private:
  struct Bound {
    const Step* step;
    std::vector<dnnl::memory> memories;
    std::vector<dnnl_exec_arg_t> arguments;
    dnnl::stream stream;
  };
  std::vector<Bound> bound_;
};

// Primitives one after the other.
class StepKernel : public Kernel {
 public:
  StepKernel(std::vector<Step> steps, int64_t scratch_bytes)
      : steps_(std::move(steps)), scratch_bytes_(scratch_bytes) {}
  void run(void* const* buffers, KernelState* state) const override;
  int64_t scratch_bytes() const override { return scratch_bytes_; }
  std::unique_ptr<KernelState> make_state() const override { return std::make_unique<BoundSteps>(steps_); }

 private:
  std::vector<Step> steps_;
  int64_t scratch_bytes_;
};

// Hands out 64-byte aligned parts of the scratch buffer.
class ScratchPlan {
 public:
  int64_t take(int64_t bytes) {
    const int64_t offset = bytes_;
    bytes_ += (bytes + 63) / 64 * 64;
    return offset;
  }
  int64_t bytes() const { return bytes_; }

 private:
  int64_t bytes_ = 0;
};

dnnl::primitive_attr user_scratchpad();  // primitives take their scratch from the launch
// Binds what a primitive takes of it, if anything: a launch that takes none has no scratch buffer.
void bind_scratchpad(std::vector<Binding>& bindings, const Descriptor& wanted, int scratch,
                     ScratchPlan& plan);

// A reorder between two descriptors; `scratch` is the number of the scratch buffer.
Step reorder_step(const Descriptor& from, int from_buffer, int64_t from_offset, const Descriptor& to,
                  int to_buffer, int64_t to_offset, int scratch, ScratchPlan& plan);

// The bytes of a tensor from one layout to another; any dtype whose elements are whole bytes. Buffers: from,
// to.
std::unique_ptr<Kernel> make_reorder(const Type& type, int64_t from, int64_t to);

// The same at once.
void move_layout(const Type& type, const void* from, int64_t from_layout, void* to, int64_t to_layout);

}  // namespace temper::cpu
