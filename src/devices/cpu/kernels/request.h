#pragma once
// What a kernel of one node reads from a KernelRequest, and the table of those kernels.
#include <functional>

#include "devices/cpu/kernel.h"
#include "devices/cpu/kernels/tape_plan.h"
#include "ir/op.h"

namespace temper::cpu {

// A value's place among the buffers. Absent: an optional input not given, an output nobody reads.
struct Operand {
  int buffer = -1;
  Type type;
  int64_t layout = kRowMajor;

  explicit operator bool() const { return buffer >= 0; }
  const Shape& shape() const { return type.shape; }
  Ints along() const { return strides(type.shape, layout); }  // element strides
  int64_t elements() const { return type.shape.elements(); }
  int64_t element_bytes() const { return bit_width(type.dtype) / 8; }
  template <class T>
  T* in(void* const* buffers) const {  // null if absent
    return buffer < 0 ? nullptr : static_cast<T*>(buffers[buffer]);
  }
};

class NodeRequest {
 public:
  explicit NodeRequest(const KernelRequest& request);
  const Node& node() const { return node_; }
  const Attributes& attributes() const { return node_.attributes; }
  Operand input(size_t index) const;  // of the node; its type even if the buffer is absent
  Operand output(size_t index) const;
  size_t inputs() const { return node_.inputs.size(); }
  int scratch() const;                              // the buffer after all others
  int threads() const { return request_.threads; }  // of the team that will run it

 private:
  const KernelRequest& request_;
  const Node& node_;
};

// A kernel that is a function of the buffers.
std::unique_ptr<Kernel> function_kernel(std::function<void(void* const*)> run, int64_t scratch_bytes = 0);

using MakeKernel = std::unique_ptr<Kernel> (*)(const NodeRequest&);

// move.cpp
std::unique_ptr<Kernel> make_broadcast(const NodeRequest&);
std::unique_ptr<Kernel> make_copy(const NodeRequest&);  // reshape, barrier, bitcast, and so on
std::unique_ptr<Kernel> make_transpose(const NodeRequest&);
std::unique_ptr<Kernel> make_slice(const NodeRequest&);
std::unique_ptr<Kernel> make_pad(const NodeRequest&);
std::unique_ptr<Kernel> make_concat(const NodeRequest&);
std::unique_ptr<Kernel> make_reverse(const NodeRequest&);
std::unique_ptr<Kernel> make_dynamic_slice(const NodeRequest&);
std::unique_ptr<Kernel> make_dynamic_update_slice(const NodeRequest&);
// gather.cpp, scatter.cpp, sort.cpp, window.cpp
std::unique_ptr<Kernel> make_gather(const NodeRequest&);
std::unique_ptr<Kernel> make_embedding(const NodeRequest&);
std::unique_ptr<Kernel> make_scatter(const NodeRequest&);
std::unique_ptr<Kernel> make_sort(const NodeRequest&);
std::unique_ptr<Kernel> make_arg_reduce(const NodeRequest&);
std::unique_ptr<Kernel> make_reduce_window(const NodeRequest&);
// softmax.cpp, layer_norm.cpp, dropout.cpp: f32; batch_norm.cpp, pool.cpp: also bf16
std::unique_ptr<Kernel> make_softmax(const NodeRequest&);
std::unique_ptr<Kernel> make_softmax_grad(const NodeRequest&);
std::unique_ptr<Kernel> make_cross_entropy(const NodeRequest&);
std::unique_ptr<Kernel> make_cross_entropy_grad(const NodeRequest&);
std::unique_ptr<Kernel> make_layer_norm(const NodeRequest&);
std::unique_ptr<Kernel> make_layer_norm_grad(const NodeRequest&);
std::unique_ptr<Kernel> make_batch_norm_infer(const NodeRequest&);
std::unique_ptr<Kernel> make_batch_norm_train(const NodeRequest&);
std::unique_ptr<Kernel> make_batch_norm_grad(const NodeRequest&);
std::unique_ptr<Kernel> make_batch_norm_act_train(const NodeRequest&);
std::unique_ptr<Kernel> make_batch_norm_act_grad(const NodeRequest&);
std::unique_ptr<Kernel> make_batch_norm_act_infer(const NodeRequest&);
std::unique_ptr<Kernel> make_batch_norm_act_input_grad(const NodeRequest&);
inline constexpr int64_t kMaxPoolTaps = 1024;  // places of a window
std::unique_ptr<Kernel> make_pool(const NodeRequest&);
std::unique_ptr<Kernel> make_pool_grad(const NodeRequest&);
std::unique_ptr<Kernel> make_dropout(const NodeRequest&);

}  // namespace temper::cpu
