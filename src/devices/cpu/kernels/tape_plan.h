#pragma once
// A tape laid over memory: the space cut into blocks of rows by columns, a stride for each operand and axis.
#include <algorithm>

#include "devices/cpu/kernels/block.h"
#include "devices/cpu/layout.h"

namespace temper::cpu {

inline constexpr int kMaxTapeValues = 128;     // sources and instructions
inline constexpr int kMaxReductions = 4;       // reduced results of one tape
inline constexpr size_t kMaxOuterAxes = 6;     // beside rows and columns
inline constexpr int64_t kMaxBlock = 1024;     // elements
inline constexpr int64_t kBlockBytes = 65536;  // of all slots of one thread

// One axis of the space after units are dropped, the order of memory is taken and neighbours are merged.
struct PlanAxis {
  int64_t size = 1;
  bool reduced = false;
};

// Element strides of an operand along the plan's axes.
struct PlanOperand {
  std::vector<int64_t> strides;
  bool is_uniform() const {
    return std::ranges::all_of(strides, [](int64_t stride) { return stride == 0; });
  }
};

struct TapePlan {
  std::vector<PlanAxis> axes;  // slowest first; at least two: rows and columns
  std::vector<PlanOperand> sources, results;
  int64_t elements = 0;
  int64_t block_rows = 1, block_columns = 1;
  int64_t row_groups = 1, column_pieces = 1;
  std::vector<int> slots;  // by value: byte offset per element of its block
  int64_t slot_bytes = 0;  // of one element, all slots

  const PlanAxis& rows() const { return axes[axes.size() - 2]; }
  const PlanAxis& columns() const { return axes.back(); }
};

// Shapes and layouts of the cluster's inputs and outputs. Layouts are permutations, or one other layout that
// all operands of the space's shape share.
struct Placed {
  Shape shape;
  int64_t layout = kRowMajor;
};
TapePlan plan_tape(const Tape& tape, std::span<const Placed> inputs, std::span<const Placed> outputs);

}  // namespace temper::cpu
