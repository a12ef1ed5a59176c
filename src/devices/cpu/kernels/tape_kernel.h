#pragma once
// Runs a bound tape on the OpenMP team of the caller.
#include <memory>

#include "devices/cpu/kernel.h"
#include "devices/cpu/kernels/block_run.h"

namespace temper::cpu {

class TapeRunner {
 public:
  TapeRunner(Tape tape, std::span<const Placed> inputs, std::span<const Placed> outputs);

  // inputs, outputs as the cluster's; scratch: scratch_bytes(), 8-byte aligned
  void run(const void* const* inputs, void* const* outputs, void* scratch) const;
  int64_t scratch_bytes() const;

  // Without reductions: a share of the blocks on this thread, for launches of many tapes.
  bool reduces() const { return !folds_.empty(); }
  int64_t blocks() const;
  int64_t work() const;  // about: elements touched
  void run_blocks(const void* const* inputs, void* const* outputs, int64_t begin, int64_t end) const;

 private:
  // Kept positions are cut into groups of at most a block; the reduced positions of a group into units of a
  // block and, where groups are few, into chunks of units.
  struct Reduction {
    std::vector<size_t> kept_axes, reduced_axes;  // outer axes of the plan
    int64_t groups = 1, units = 1, chunks = 1;
    int64_t entries = 1;  // accumulators of a group, at most
  };
  Reduction plan_reduction() const;
  TapeBlock group_block(int64_t group) const;  // of its first unit
  void move_to_unit(TapeBlock& block, int64_t unit) const;
  void fold_chunk(BlockRun& run, int64_t group, int64_t chunk, Accumulator* into) const;
  void finish(int64_t group, const Accumulator* from, void* const* outputs) const;
  void run_reduced(const void* const* inputs, void* const* outputs, Accumulator* scratch) const;
  void fill_neutral(void* const* outputs) const;

  BoundTape bound_;
  std::vector<size_t> reduced_results_;
  std::vector<Fold> folds_;  // of the reduced results
  Reduction reduction_;
};

std::unique_ptr<Kernel> make_tape_kernel(const KernelRequest& request);

}  // namespace temper::cpu
