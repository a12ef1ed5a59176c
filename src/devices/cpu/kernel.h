#pragma once
// The seam between the executor and the kernels: a Kernel is made once, at load, and run once per launch.
//
// Who makes what: contractions (dot_general, conv_general, conv2d and its gradients) in every dtype and
// control flow belong to the executor's side; every other op belongs to kernels/ (SIMD kernels and the tape
// of fused maps). Not launches but memory: input, constant, reshape, bitcast, barrier, all_reduce over one
// device, and transpose, which is a change of layout.
#include <memory>
#include <span>
#include <vector>

#include "devices/cpu/layout.h"
#include "runtime/device.h"

namespace temper::cpu {

// Mutable parts of a kernel, one per Context.
class KernelState {
 public:
  virtual ~KernelState() = default;
  // Of launches inside: as a Context's.
  virtual void set_profiling(bool) {}
  virtual std::vector<LaunchProfile> profile() const { return {}; }
};

class Kernel {
 public:
  virtual ~Kernel() = default;
  // buffers: KernelRequest::inputs, then outputs, then scratch if scratch_bytes() > 0. Arena memory is
  // 64-byte aligned, arguments at least to their element. Runs on the OpenMP team of the caller. Allocates
  // nothing.
  virtual void run(void* const* buffers, KernelState* state) const = 0;
  virtual int64_t scratch_bytes() const { return 0; }
  virtual std::unique_ptr<KernelState> make_state() const { return nullptr; }
  virtual std::string_view method() const { return {}; }  // for people, where there is a choice
  // What a run consists of, if that is known: flops and bytes of all its rounds.
  virtual std::vector<LaunchProfile> launches() const { return {}; }
};

// One launch to be. Everything it points to outlives the kernel's making, not the kernel.
struct KernelRequest {
  const Graph& graph;
  const Cluster& cluster;
  std::span<const Value>
      inputs;  // values the cluster reads from outside, each once, by first use; constants too
  std::span<const Value> outputs;  // values of the cluster that are read outside it, ascending
  std::span<const int64_t> input_layouts, output_layouts;
  int threads;  // of the team that will run it; the bits of the result must not depend on it
};

// Which layouts the kernel of a cluster takes.
enum class Accepts {
  row_major,  // every operand row-major
  // Operands of the highest rank, if that is 3 or more, share one order of axes (any permutation); the others
  // are row-major.
  permuted,
  // As permuted; or one layout, blocks included, shared by all operands of more than one element: pure maps.
  any,
};

// In kernels/:

Claim claim_kernel(const Graph& graph, const Node& node);  // for every op that belongs there
// Groups all nodes that are not `taken` and need a launch; a cluster of one node is fine. Each node belongs
// to at most one cluster; others may repeat it (Cluster::repeated) rather than read what it made, and if all
// do it has none.
std::vector<Cluster> fuse(const Graph& graph, const std::vector<bool>& taken);
Accepts accepts(const Graph& graph, const Cluster& cluster);
// True if `output` may lie in the memory of `input` (same type, same layout): the kernel has read an element,
// for all its outputs, before it writes there.
bool in_place(const Graph& graph, const Cluster& cluster, Value input, Value output);
std::unique_ptr<Kernel> make_kernel(const KernelRequest& request);

}  // namespace temper::cpu
