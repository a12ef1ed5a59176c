#pragma once
// A legal graph as a flat list of launches over one arena.
#include "devices/cpu/layouts.h"
#include "runtime/device.h"

namespace temper::cpu {

struct Buffer {
  enum Where { arena, argument, result, constant } where;
  int index = 0;  // of the argument, result or constant
  int64_t bytes = 0;
  int64_t offset = 0;         // arena
  int first = -1, last = -1;  // launches that touch it
};

struct Launch {
  std::shared_ptr<const Kernel> kernel;  // launches that repeat another have its kernel
  std::vector<int> buffers;              // positions in Plan::buffers: inputs, outputs, scratch
  int inputs = 0;                        // how many of them are inputs
  LaunchProfile about;                   // name, kind, flops, bytes
  // (input, output), positions in `buffers`, sorted: the output may lie where the input lies.
  std::vector<std::pair<int, int>> in_place = {};
};

struct Plan {
  std::vector<Buffer> buffers;
  std::vector<Launch> launches;
  std::vector<Tensor> constants;
  int64_t arena_bytes = 0;
  int64_t arena_floor = 0;        // what lives at the busiest launch
  int64_t plain_arena_bytes = 0;  // if nothing were computed again
};

// What the caller sees of a graph compiled for this device.
struct Signature {
  std::vector<Argument> inputs, outputs;
};
Signature signature(const Graph& graph, const Layouts& layouts);

Plan make_plan(const Graph& graph, const Signature& signature, const CompileOptions& options);

// In order; those of a scan's body in place of the scan.
std::vector<LaunchProfile> launches_of(const Plan& plan);

// The mutable part of running a plan. Addresses are looked up anew in each run; nothing is allocated.
class PlanState {
 public:
  explicit PlanState(const Plan& plan);  // plan must outlive it
  void run(void* const* arguments, void* const* results, std::byte* arena);

  void set_profiling(bool on);
  std::vector<LaunchProfile> profile() const;  // as launches_of()

 private:
  struct Patch {
    size_t slot;
    int buffer;
  };
  const Plan& plan_;
  std::vector<void*> slots_;         // buffers of all launches, one after the other
  std::vector<size_t> first_slot_;   // by launch
  std::vector<Patch> from_outside_;  // slots that hold arguments and results
  std::vector<Patch> from_arena_;
  std::vector<std::unique_ptr<KernelState>> states_;
  std::vector<LaunchProfile> measured_;  // measures while it is not empty
  std::byte* arena_ = nullptr;
};

}  // namespace temper::cpu
