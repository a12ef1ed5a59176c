// Tapes that end in reductions. How positions are cut depends on shapes alone, and chunks are combined in
// order, so the bits do not depend on the team.
#include <algorithm>

#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/tape_kernel.h"

namespace temper::cpu {

TapeRunner::Reduction TapeRunner::plan_reduction() const {
  constexpr int64_t kEnoughTasks = 16, kUnitsPerChunk = 4;
  const TapePlan& plan = bound_.plan;
  Reduction r;
  for (size_t i = 0; i + 2 < plan.axes.size(); ++i) {
    (plan.axes[i].reduced ? r.reduced_axes : r.kept_axes).push_back(i);
    (plan.axes[i].reduced ? r.units : r.groups) *= plan.axes[i].size;
  }
  (plan.rows().reduced ? r.units : r.groups) *= plan.row_groups;
  (plan.columns().reduced ? r.units : r.groups) *= plan.column_pieces;
  if (!plan.rows().reduced) r.entries *= plan.block_rows;
  if (!plan.columns().reduced) r.entries *= plan.block_columns;
  if (plan.elements > 0 && r.groups < kEnoughTasks)
    r.chunks = std::clamp<int64_t>(r.units / kUnitsPerChunk, 1, kEnoughTasks / r.groups);
  return r;
}

int64_t TapeRunner::scratch_bytes() const {
  if (!reduces() || reduction_.chunks == 1) return 0;
  return reduction_.groups * reduction_.chunks * reduction_.entries * static_cast<int64_t>(folds_.size()) *
         static_cast<int64_t>(sizeof(Accumulator));
}

TapeBlock TapeRunner::group_block(int64_t group) const {
  const TapePlan& plan = bound_.plan;
  TapeBlock block;
  if (!plan.columns().reduced) {
    block.column = group % plan.column_pieces * plan.block_columns;
    group /= plan.column_pieces;
  }
  if (!plan.rows().reduced) {
    block.row = group % plan.row_groups * plan.block_rows;
    group /= plan.row_groups;
  }
  for (size_t k = reduction_.kept_axes.size(); k-- > 0;) {
    const size_t axis = reduction_.kept_axes[k];
    block.index[axis] = group % plan.axes[axis].size;
    group /= plan.axes[axis].size;
  }
  block.rows = std::min(plan.block_rows, plan.rows().size - block.row);
  block.columns = std::min(plan.block_columns, plan.columns().size - block.column);
  return block;
}

void TapeRunner::move_to_unit(TapeBlock& block, int64_t unit) const {
  const TapePlan& plan = bound_.plan;
  if (plan.columns().reduced) {
    block.column = unit % plan.column_pieces * plan.block_columns;
    block.columns = std::min(plan.block_columns, plan.columns().size - block.column);
    unit /= plan.column_pieces;
  }
  if (plan.rows().reduced) {
    block.row = unit % plan.row_groups * plan.block_rows;
    block.rows = std::min(plan.block_rows, plan.rows().size - block.row);
    unit /= plan.row_groups;
  }
  for (size_t k = reduction_.reduced_axes.size(); k-- > 0;) {
    const size_t axis = reduction_.reduced_axes[k];
    block.index[axis] = unit % plan.axes[axis].size;
    unit /= plan.axes[axis].size;
  }
}

// into: [reduced results, entries]
void TapeRunner::fold_chunk(BlockRun& run, int64_t group, int64_t chunk, Accumulator* into) const {
  const TapePlan& plan = bound_.plan;
  const Reduction& r = reduction_;
  for (size_t k = 0; k < folds_.size(); ++k)
    std::fill_n(into + static_cast<int64_t>(k) * r.entries, r.entries, folds_[k].neutral);
  TapeBlock block = group_block(group);
  for (int64_t unit = r.units * chunk / r.chunks; unit < r.units * (chunk + 1) / r.chunks; ++unit) {
    move_to_unit(block, unit);
    run.run(block);
    for (size_t k = 0; k < folds_.size(); ++k) {
      const void* x = run.value(bound_.tape.results[reduced_results_[k]].value);
      Accumulator* to = into + static_cast<int64_t>(k) * r.entries;
      if (plan.rows().reduced)
        plan.columns().reduced ? folds_[k].fold(x, 1, block.count(), false, to)
                               : folds_[k].fold(x, block.rows, block.columns, true, to);
      else
        plan.columns().reduced ? folds_[k].fold(x, block.rows, block.columns, false, to)
                               : folds_[k].fold(x, 1, block.count(), true, to);
    }
  }
}

void TapeRunner::finish(int64_t group, const Accumulator* from, void* const* outputs) const {
  const TapePlan& plan = bound_.plan;
  const TapeBlock block = group_block(group);
  const int64_t rows = plan.rows().reduced ? 1 : block.rows,
                columns = plan.columns().reduced ? 1 : block.columns;
  for (size_t k = 0; k < folds_.size(); ++k, from += reduction_.entries) {
    const size_t result = reduced_results_[k];
    const PlanOperand& operand = plan.results[result];
    const size_t outer = operand.strides.size() - 2;
    const int64_t bytes = bit_width(bound_.tape.results[result].dtype) / 8;
    auto* to = static_cast<std::byte*>(outputs[result]) + block.offset(operand) * bytes;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        folds_[k].finish(from + i * columns + j,
                         to + (i * operand.strides[outer] + j * operand.strides[outer + 1]) * bytes);
  }
}

void TapeRunner::fill_neutral(void* const* outputs) const {
  int64_t kept = 1;
  for (const PlanAxis& axis : bound_.plan.axes)
    if (!axis.reduced) kept *= axis.size;
  for (size_t k = 0; k < folds_.size(); ++k) {
    const size_t result = reduced_results_[k];
    const int64_t bytes = bit_width(bound_.tape.results[result].dtype) / 8;
    for (int64_t i = 0; i < kept; ++i)
      folds_[k].finish(&folds_[k].neutral, static_cast<std::byte*>(outputs[result]) + i * bytes);
  }
}

void TapeRunner::run_reduced(const void* const* inputs, void* const* outputs, Accumulator* scratch) const {
  if (bound_.plan.elements == 0) return fill_neutral(outputs);
  const Reduction& r = reduction_;
  const int64_t size = r.entries * static_cast<int64_t>(folds_.size());  // accumulators of a task
  parallel_ranges(r.groups * r.chunks, work(), [&](int64_t begin, int64_t end) {
    BlockRun run(bound_, inputs, outputs);
    Accumulator own[kMaxReductions * kMaxBlock];
    for (int64_t task = begin; task < end; ++task) {
      Accumulator* into = r.chunks == 1 ? own : scratch + task * size;
      fold_chunk(run, task / r.chunks, task % r.chunks, into);
      if (r.chunks == 1) finish(task, into, outputs);
    }
  });
  if (r.chunks == 1) return;
  for (int64_t group = 0; group < r.groups; ++group) {
    Accumulator* first = scratch + group * r.chunks * size;
    for (int64_t chunk = 1; chunk < r.chunks; ++chunk)
      for (size_t k = 0; k < folds_.size(); ++k)
        folds_[k].combine(first + static_cast<int64_t>(k) * r.entries,
                          first + chunk * size + static_cast<int64_t>(k) * r.entries, r.entries);
    finish(group, first, outputs);
  }
}

}  // namespace temper::cpu
