#include "devices/cpu/kernels/tape_kernel.h"

#include <algorithm>

#include "devices/cpu/kernels/parallel.h"

namespace temper::cpu {

TapeRunner::TapeRunner(Tape tape, std::span<const Placed> inputs, std::span<const Placed> outputs)
    : bound_(bind(std::move(tape), inputs, outputs)) {
  for (size_t i = 0; i < bound_.tape.results.size(); ++i) {
    const TapeResult& r = bound_.tape.results[i];
    if (!r.reduced) continue;
    reduced_results_.push_back(i);
    folds_.push_back(fold_function(r.kind, r.dtype));
  }
  TEMPER_CHECK(bound_.plan.axes.size() <= kMaxOuterAxes + 2 && folds_.size() <= kMaxReductions);
  if (reduces()) reduction_ = plan_reduction();
}

int64_t TapeRunner::work() const {
  return bound_.plan.elements * static_cast<int64_t>(1 + bound_.tape.code.size());
}

int64_t TapeRunner::blocks() const {
  const TapePlan& plan = bound_.plan;
  int64_t count = plan.elements == 0 ? 0 : plan.row_groups * plan.column_pieces;
  for (size_t i = 0; i + 2 < plan.axes.size(); ++i) count *= plan.axes[i].size;
  return count;
}

void TapeRunner::run(const void* const* inputs, void* const* outputs, void* scratch) const {
  if (reduces()) return run_reduced(inputs, outputs, static_cast<Accumulator*>(scratch));
  parallel_ranges(blocks(), work(),
                  [&](int64_t begin, int64_t end) { run_blocks(inputs, outputs, begin, end); });
}

void TapeRunner::run_blocks(const void* const* inputs, void* const* outputs, int64_t begin,
                            int64_t end) const {
  const TapePlan& plan = bound_.plan;
  BlockRun run(bound_, inputs, outputs);
  if (bound_.flat) {
    if (begin < end)
      run.run_flat(begin * plan.block_columns, std::min(end * plan.block_columns, plan.elements));
    return;
  }
  for (int64_t i = begin; i < end; ++i) {
    TapeBlock block;
    int64_t rest = i;
    block.column = rest % plan.column_pieces * plan.block_columns;
    rest /= plan.column_pieces;
    block.row = rest % plan.row_groups * plan.block_rows;
    rest /= plan.row_groups;
    for (size_t k = plan.axes.size() - 2; k-- > 0; rest /= plan.axes[k].size)
      block.index[k] = rest % plan.axes[k].size;
    block.rows = std::min(plan.block_rows, plan.rows().size - block.row);
    block.columns = std::min(plan.block_columns, plan.columns().size - block.column);
    run.run(block);
  }
}

namespace {

class TapeKernel : public Kernel {
 public:
  explicit TapeKernel(TapeRunner runner, size_t inputs, size_t outputs)
      : runner_(std::move(runner)), inputs_(inputs), outputs_(outputs) {}
  void run(void* const* buffers, KernelState*) const override {
    void* scratch = scratch_bytes() > 0 ? buffers[inputs_ + outputs_] : nullptr;
    runner_.run(buffers, buffers + inputs_, scratch);
  }
  int64_t scratch_bytes() const override { return runner_.scratch_bytes(); }

 private:
  TapeRunner runner_;
  size_t inputs_, outputs_;
};

}  // namespace

std::unique_ptr<Kernel> make_tape_kernel(const KernelRequest& request) {
  std::vector<Placed> inputs, outputs;
  for (size_t i = 0; i < request.inputs.size(); ++i)
    inputs.push_back({request.graph.type(request.inputs[i]).shape, request.input_layouts[i]});
  for (size_t i = 0; i < request.outputs.size(); ++i)
    outputs.push_back({request.graph.type(request.outputs[i]).shape, request.output_layouts[i]});
  TapeRunner runner(lower(request.graph, request.cluster, request.inputs, request.outputs), inputs, outputs);
  return std::make_unique<TapeKernel>(std::move(runner), inputs.size(), outputs.size());
}

}  // namespace temper::cpu
