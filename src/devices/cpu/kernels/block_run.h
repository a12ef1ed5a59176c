#pragma once
// A tape bound to memory layouts and instruction functions, and one thread's walk over its blocks.
#include "devices/cpu/kernels/groups.h"
#include "devices/cpu/kernels/tape_plan.h"

namespace temper::cpu {

struct BoundTape {
  struct Step {
    BlockFunction function = nullptr;                  // or
    GroupFunction group = nullptr;                     // of several instructions
    std::array<int, kMaxGroupResults> results = {};    // values
    std::array<int, kMaxGroupOperands> operands = {};  // values; negative: none
  };
  Tape tape;
  TapePlan plan;
  std::vector<Step> steps;            // of tape.code, in its order
  std::vector<size_t> last_read;      // by value: position of the instruction that reads it last
  std::vector<BlockFunction> loads;   // by source
  std::vector<BlockFunction> stores;  // by result
  // The space is one run of elements: every source is one number or lies as the space does, in the type it is
  // computed in.
  bool flat = false;
  std::vector<size_t> dense;  // then: the sources that lie as the space does
};
BoundTape bind(Tape tape, std::span<const Placed> inputs, std::span<const Placed> outputs);

// `rows` x `columns` elements from the first ones given; `index` has an entry per outer axis of the plan.
struct TapeBlock {
  std::array<int64_t, kMaxOuterAxes> index{};
  int64_t row = 0, column = 0, rows = 0, columns = 0;

  int64_t count() const { return rows * columns; }
  int64_t offset(const PlanOperand& operand) const;  // of its first element, in elements
};

// Keeps what its slots hold from one block to the next: scalars and whatever is broadcast are loaded once.
class BlockRun {
 public:
  BlockRun(const BoundTape& bound, const void* const* inputs, void* const* outputs);

  void run(const TapeBlock& block);                                                 // stores the full results
  void run_flat(int64_t first, int64_t last);                                       // elements of a flat tape
  const void* value(int number) const { return at_[static_cast<size_t>(number)]; }  // of the last block

 private:
  struct Loaded {
    int64_t offset = -1, rows = 0, columns = 0;
  };
  std::byte* slot(size_t value);
  void* output(size_t result, const TapeBlock& block) const;
  bool may_write_directly(size_t result) const;
  void load(size_t source, const TapeBlock& block);
  bool needs_no_slots() const;
  void load_numbers_once(int64_t columns);  // of a flat tape
  void point(const TapeBlock& block);       // its other sources, and what is written directly
  void compute(int64_t n);
  void store(const TapeBlock& block);

  const BoundTape& bound_;
  const void* const* inputs_;
  void* const* outputs_;
  std::array<bool, kMaxTapeValues> direct_{};  // by result
  std::array<void*, kMaxTapeValues> at_;       // by value
  std::array<Loaded, kMaxTapeValues> loaded_;  // by source
  bool has_numbers_ = false;                   // of a flat tape
  alignas(64) std::byte memory_[kBlockBytes];
};

}  // namespace temper::cpu
