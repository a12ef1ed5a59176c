#include "devices/cpu/kernels/tape_plan.h"

#include <algorithm>
#include <numeric>

namespace temper::cpu {

namespace {

// The axes of the space from slowest to fastest in the memory of the operand that has them all.
std::vector<int> memory_order(const Tape& tape, std::span<const Placed> inputs,
                              std::span<const Placed> outputs) {
  std::vector<int> order(tape.space.size());
  std::iota(order.begin(), order.end(), 0);
  const auto take = [&](const Placed& placed) {
    const Ints along = strides(placed.shape, placed.layout);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return along[static_cast<size_t>(a)] > along[static_cast<size_t>(b)];
    });
  };
  for (size_t i = 0; i < outputs.size(); ++i)
    if (!tape.results[i].reduced) return take(outputs[i]), order;
  for (const TapeSource& s : tape.sources)
    if (s.kind == TapeSource::tensor) {
      const Placed& placed = inputs[static_cast<size_t>(s.input)];
      if (placed.shape.sizes() == tape.space) return take(placed), order;
    }
  return order;
}

std::vector<int64_t> source_strides(const TapeSource& source, std::span<const Placed> inputs, size_t rank) {
  std::vector<int64_t> along(rank, 0);
  if (source.kind == TapeSource::scalar) return along;
  Ints own{1};
  if (source.kind == TapeSource::tensor) {
    const Placed& placed = inputs[static_cast<size_t>(source.input)];
    own = strides(placed.shape, placed.layout);
  }
  for (size_t i = 0; i < rank; ++i)
    if (source.axes[i] >= 0) along[i] = own[static_cast<size_t>(source.axes[i])];
  return along;
}

std::vector<int64_t> result_strides(const Tape& tape, const TapeResult& result, const Placed& placed) {
  std::vector<int64_t> along(tape.space.size(), 0);
  const Ints own = strides(placed.shape, placed.layout);
  size_t next = 0;
  for (size_t i = 0; i < along.size(); ++i)
    if (!result.reduced || !tape.reduced[i]) along[i] = own[next++];
  return along;
}

// All operands by one stride: for a layout that no strides describe.
TapePlan flat_plan(const Tape& tape, int64_t elements, std::span<const Placed> inputs) {
  TapePlan plan;
  plan.axes = {{1, false}, {elements, false}};
  for (const TapeSource& s : tape.sources) {
    const bool whole =
        s.kind == TapeSource::tensor && inputs[static_cast<size_t>(s.input)].shape.elements() == elements;
    plan.sources.push_back({{0, whole ? 1 : 0}});
  }
  plan.results.assign(tape.results.size(), {{0, 1}});
  return plan;
}

bool mergeable(const TapePlan& plan, size_t outer) {
  if (plan.axes[outer].reduced != plan.axes[outer + 1].reduced) return false;
  const auto fits = [&](const PlanOperand& o) {
    return o.strides[outer] == o.strides[outer + 1] * plan.axes[outer + 1].size;
  };
  return std::all_of(plan.sources.begin(), plan.sources.end(), fits) &&
         std::all_of(plan.results.begin(), plan.results.end(), fits);
}

template <class Change>
void for_operands(TapePlan& plan, Change change) {
  std::for_each(plan.sources.begin(), plan.sources.end(), change);
  std::for_each(plan.results.begin(), plan.results.end(), change);
}

void drop_axis(TapePlan& plan, size_t axis) {
  plan.axes.erase(plan.axes.begin() + static_cast<std::ptrdiff_t>(axis));
  for_operands(
      plan, [&](PlanOperand& o) { o.strides.erase(o.strides.begin() + static_cast<std::ptrdiff_t>(axis)); });
}

// Drops units, merges neighbours, and pads to two axes.
void collapse(TapePlan& plan) {
  for (size_t i = plan.axes.size(); i-- > 0;)
    if (plan.axes[i].size == 1) drop_axis(plan, i);
  for (size_t i = plan.axes.size(); i-- > 1;) {
    if (!mergeable(plan, i - 1)) continue;
    plan.axes[i].size *= plan.axes[i - 1].size;
    drop_axis(plan, i - 1);
  }
  while (plan.axes.size() < 2) {  // a unit row takes the class of the columns, so that the two fold as one
    plan.axes.insert(plan.axes.begin(), {1, !plan.axes.empty() && plan.axes[0].reduced});
    for_operands(plan, [](PlanOperand& o) { o.strides.insert(o.strides.begin(), 0); });
  }
}

TapePlan strided_plan(const Tape& tape, std::span<const Placed> inputs, std::span<const Placed> outputs) {
  TapePlan plan;
  const std::vector<int> order = memory_order(tape, inputs, outputs);
  const auto ordered = [&](const std::vector<int64_t>& along) {
    PlanOperand operand;
    for (int axis : order) operand.strides.push_back(along[static_cast<size_t>(axis)]);
    return operand;
  };
  for (int axis : order)
    plan.axes.push_back({tape.space[static_cast<size_t>(axis)],
                         !tape.reduced.empty() && tape.reduced[static_cast<size_t>(axis)]});
  for (const TapeSource& s : tape.sources)
    plan.sources.push_back(ordered(source_strides(s, inputs, tape.space.size())));
  for (size_t i = 0; i < outputs.size(); ++i)
    plan.results.push_back(ordered(result_strides(tape, tape.results[i], outputs[i])));
  collapse(plan);
  return plan;
}

// Sources keep a slot each, for what is loaded once is used by many blocks; results of instructions share.
void assign_slots(TapePlan& plan, const Tape& tape) {
  const size_t first = tape.sources.size(), count = first + tape.code.size();
  std::vector<size_t> last(count, 0);
  for (size_t i = 0; i < tape.code.size(); ++i)
    for (int operand : tape.code[i].operands)
      if (operand >= 0) last[static_cast<size_t>(operand)] = i;
  for (const TapeResult& r : tape.results) last[static_cast<size_t>(r.value)] = tape.code.size();
  std::vector<std::vector<int>> spare(9);  // by cell size
  const auto fresh = [&](int64_t size) {
    plan.slot_bytes += size;
    return static_cast<int>(plan.slot_bytes - size);
  };
  for (const TapeSource& s : tape.sources) plan.slots.push_back(fresh(cell_size(s.dtype)));
  for (size_t i = 0; i < tape.code.size(); ++i) {
    const int64_t size = cell_size(tape.code[i].result);
    std::vector<int>& free = spare[static_cast<size_t>(size)];
    if (free.empty()) {
      plan.slots.push_back(fresh(size));
    } else {
      plan.slots.push_back(free.back());
      free.pop_back();
    }
    for (size_t k = 0; k < 3; ++k) {
      const int operand = tape.code[i].operands[k];
      const auto& all = tape.code[i].operands;
      if (operand < static_cast<int>(first) || last[static_cast<size_t>(operand)] != i) continue;
      if (std::find(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k), operand) !=
          all.begin() + static_cast<std::ptrdiff_t>(k))
        continue;  // named twice
      const DType type = tape.code[static_cast<size_t>(operand) - first].result;
      spare[static_cast<size_t>(cell_size(type))].push_back(plan.slots[static_cast<size_t>(operand)]);
    }
  }
}

// Bytes of the slots that are gone through in each block. Of a source that is one number all over the space
// only the first is read; a reduction's blocks say in which order it sums, so there every slot counts.
int64_t bytes_gone_through(const TapePlan& plan, const Tape& tape) {
  int64_t bytes = plan.slot_bytes;
  for (size_t i = 0; i < tape.sources.size() && tape.reduced.empty(); ++i)
    if (plan.sources[i].is_uniform()) bytes -= cell_size(tape.sources[i].dtype);
  return bytes;
}

// As many elements as keep the slots in the first-level cache.
void choose_block(TapePlan& plan, const Tape& tape) {
  const int64_t through = bytes_gone_through(plan, tape);
  int64_t block = kMaxBlock;
  while (block > 64 && (block * through > kBlockBytes / 2 || block * plan.slot_bytes > kBlockBytes))
    block /= 2;
  TEMPER_CHECK(block * plan.slot_bytes <= kBlockBytes);
  const int64_t rows = plan.rows().size, columns = plan.columns().size;
  plan.block_columns = std::min(columns, block);
  plan.block_rows = columns == 0 || columns > block / 2 ? 1 : std::min(rows, block / columns);
  plan.block_rows = std::max<int64_t>(plan.block_rows, 1);
  plan.row_groups = (rows + plan.block_rows - 1) / plan.block_rows;
  plan.column_pieces = columns == 0 ? 0 : (columns + plan.block_columns - 1) / plan.block_columns;
}

}  // namespace

TapePlan plan_tape(const Tape& tape, std::span<const Placed> inputs, std::span<const Placed> outputs) {
  TEMPER_CHECK(tape.sources.size() + tape.code.size() <= kMaxTapeValues);
  int64_t elements = 1;
  for (int64_t size : tape.space) elements *= size;
  const auto blocked = [](const Placed& p) { return !is_permutation(p.layout); };
  const bool flat = std::any_of(inputs.begin(), inputs.end(), blocked) ||
                    std::any_of(outputs.begin(), outputs.end(), blocked);
  TEMPER_CHECK(!flat || tape.reduced.empty());
  TapePlan plan = flat ? flat_plan(tape, elements, inputs) : strided_plan(tape, inputs, outputs);
  plan.elements = elements;
  assign_slots(plan, tape);
  choose_block(plan, tape);
  return plan;
}

}  // namespace temper::cpu
