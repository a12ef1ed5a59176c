#include "devices/cpu/kernels/block_run.h"

#include <algorithm>
#include <utility>

#include "devices/cpu/kernels/cells.h"

namespace temper::cpu {

namespace {

// Where the elements of a block stand in an operand.
struct Steps {
  int64_t rows, columns, row_stride, column_stride;
};

template <class T>
void gather_as(const void* from, const Steps& s, void* to) {
  auto* out = static_cast<T*>(to);
  for (int64_t r = 0; r < s.rows; ++r, out += s.columns) {
    const T* x = static_cast<const T*>(from) + r * s.row_stride;
    if (s.column_stride == 1)
      std::copy_n(x, s.columns, out);
    else if (s.column_stride == 0)
      std::fill_n(out, s.columns, *x);
    else
      for (int64_t c = 0; c < s.columns; ++c) out[c] = x[c * s.column_stride];
  }
}

void gather(const void* from, int64_t bytes, const Steps& steps, void* to) {
  switch (bytes) {
    case 1:
      return gather_as<uint8_t>(from, steps, to);
    case 2:
      return gather_as<uint16_t>(from, steps, to);
    case 4:
      return gather_as<uint32_t>(from, steps, to);
    default:
      return gather_as<uint64_t>(from, steps, to);
  }
}

// Scalars, and iota: the element at offset k is k.
void load_numbers(const TapeSource& source, int64_t offset, const Steps& s, void* to) {
  with_cell(source.dtype, [&]<class T>(CellOf<T>) {
    auto* out = static_cast<T*>(to);
    if constexpr (std::is_same_v<T, Boolean>) {
      std::fill_n(out, s.rows * s.columns, Boolean{static_cast<uint8_t>(source.integer & 1)});
    } else if (source.kind == TapeSource::scalar) {
      const T value =
          std::is_floating_point_v<T> ? static_cast<T>(source.real) : static_cast<T>(source.integer);
      std::fill_n(out, s.rows * s.columns, value);
    } else {
      for (int64_t r = 0; r < s.rows; ++r)
        for (int64_t c = 0; c < s.columns; ++c)
          *out++ = static_cast<T>(offset + r * s.row_stride + c * s.column_stride);
    }
  });
}

// One number for the whole space.
bool is_uniform(const BoundTape& bound, const Tape& tape, int value) {
  if (value < 0 || static_cast<size_t>(value) >= tape.sources.size()) return false;
  const auto at = static_cast<size_t>(value);
  if (tape.sources[at].kind != TapeSource::tensor) return tape.sources[at].kind == TapeSource::scalar;
  return bound.plan.sources[at].is_uniform();
}

// By value: how often it is read, results included.
std::vector<int> uses_of(const Tape& tape) {
  std::vector<int> uses(tape.sources.size() + tape.code.size(), 0);
  for (const TapeInstruction& in : tape.code)
    for (const int operand : in.operands)
      if (operand >= 0) ++uses[static_cast<size_t>(operand)];
  for (const TapeResult& result : tape.results) ++uses[static_cast<size_t>(result.value)];
  return uses;
}

BoundTape::Step single_step(const TapeInstruction& in, const std::function<bool(int)>& is_uniform) {
  int uniform = 0;
  for (size_t k = 0; k < in.operands.size(); ++k) uniform |= is_uniform(in.operands[k]) ? 1 << k : 0;
  BoundTape::Step step{.function = block_function(in.op, in.type, in.result, uniform)};
  TEMPER_CHECK(step.function, "tape over ", to_string(in.type));
  std::ranges::copy(in.operands, step.operands.begin());
  return step;
}

int64_t storage_size(DType dtype) { return bit_width(dtype) / 8; }

bool is_dense(const TapeSource& source, const PlanOperand& operand) {
  return source.kind == TapeSource::tensor && cell(source.dtype) == source.dtype &&
         operand.strides.back() == 1;
}

void find_flat(BoundTape& bound) {
  const TapePlan& plan = bound.plan;
  bound.flat = plan.elements == plan.columns().size;
  for (size_t i = 0; i < bound.tape.sources.size(); ++i) {
    if (is_uniform(bound, bound.tape, static_cast<int>(i))) continue;
    bound.flat = bound.flat && is_dense(bound.tape.sources[i], plan.sources[i]);
    bound.dense.push_back(i);
  }
}

}  // namespace

BoundTape bind(Tape tape, std::span<const Placed> inputs, std::span<const Placed> outputs) {
  BoundTape bound;
  bound.plan = plan_tape(tape, inputs, outputs);
  bound.last_read.assign(tape.sources.size() + tape.code.size(), 0);
  const std::function<bool(int)> uniform = [&](int value) { return is_uniform(bound, tape, value); };
  const std::vector<int> uses = uses_of(tape);
  for (size_t i = 0; i < tape.code.size(); ++i)
    for (int operand : tape.code[i].operands)
      if (operand >= 0) bound.last_read[static_cast<size_t>(operand)] = i;
  for (size_t i = 0; i < tape.code.size();) {
    const std::optional<InstructionGroup> group = find_group(tape, i, uses, uniform);
    if (group) {
      bound.steps.push_back(
          {.group = group->function, .results = group->results, .operands = group->operands});
    } else {
      bound.steps.push_back(single_step(tape.code[i], uniform));
      bound.steps.back().results[0] = static_cast<int>(tape.sources.size() + i);
    }
    i += group ? group->count : 1;
  }
  for (const TapeSource& s : tape.sources) bound.loads.push_back(load_function(s.dtype));
  for (const TapeResult& r : tape.results) {  // stored or folded when all instructions are done
    bound.last_read[static_cast<size_t>(r.value)] = tape.code.size();
    bound.stores.push_back(store_function(r.dtype));
  }
  bound.tape = std::move(tape);
  find_flat(bound);
  return bound;
}

int64_t TapeBlock::offset(const PlanOperand& operand) const {
  const size_t outer = operand.strides.size() - 2;
  int64_t at = row * operand.strides[outer] + column * operand.strides[outer + 1];
  for (size_t i = 0; i < outer; ++i) at += index[i] * operand.strides[i];
  return at;
}

BlockRun::BlockRun(const BoundTape& bound, const void* const* inputs, void* const* outputs)
    : bound_(bound), inputs_(inputs), outputs_(outputs) {
  for (size_t i = 0; i < bound.tape.results.size(); ++i) direct_[i] = may_write_directly(i);
}

std::byte* BlockRun::slot(size_t value) {
  // A multiple of 64, so that cells of every size are aligned.
  const int64_t elements = (bound_.plan.block_rows * bound_.plan.block_columns + 63) / 64 * 64;
  return memory_ + int64_t{bound_.plan.slots[value]} * elements;
}

void* BlockRun::output(size_t result, const TapeBlock& block) const {
  const int64_t offset = block.offset(bound_.plan.results[result]);
  return static_cast<std::byte*>(outputs_[result]) + offset * storage_size(bound_.tape.results[result].dtype);
}

// A full result's instruction may write to its memory if no rounding stands between and no later instruction
// reads an input that shares the memory.
bool BlockRun::may_write_directly(size_t result) const {
  const Tape& tape = bound_.tape;
  const TapeResult& r = tape.results[result];
  const size_t first = tape.sources.size(), value = static_cast<size_t>(r.value);
  if (r.reduced || value < first || cell(r.dtype) != r.dtype) return false;
  for (size_t i = 0; i < result; ++i)
    if (direct_[i] && tape.results[i].value == r.value) return false;
  for (size_t i = 0; i < first; ++i) {
    const TapeSource& s = tape.sources[i];
    if (s.kind == TapeSource::tensor && inputs_[s.input] == outputs_[result] &&
        bound_.last_read[i] > value - first)
      return false;
  }
  return true;
}

void BlockRun::load(size_t i, const TapeBlock& block) {
  const TapeSource& source = bound_.tape.sources[i];
  const PlanOperand& operand = bound_.plan.sources[i];
  const size_t outer = operand.strides.size() - 2;
  const Steps steps{block.rows, block.columns, operand.strides[outer], operand.strides[outer + 1]};
  const int64_t offset = block.offset(operand);
  Loaded& loaded = loaded_[i];
  if (loaded.offset == offset && loaded.rows >= block.rows && loaded.columns == block.columns) return;
  if (source.kind != TapeSource::tensor) {
    load_numbers(source, offset, steps, at_[i] = slot(i));
    loaded = {offset, block.rows, block.columns};
    return;
  }
  const int64_t bytes = storage_size(source.dtype);
  auto* from = static_cast<std::byte*>(const_cast<void*>(inputs_[source.input])) + offset * bytes;
  const bool dense = steps.column_stride == 1 && (block.rows == 1 || steps.row_stride == block.columns);
  const bool widened = cell(source.dtype) != source.dtype;
  if (dense && !widened) {
    at_[i] = from;
    return;
  }
  at_[i] = slot(i);
  loaded = {offset, block.rows, block.columns};
  if (dense) return bound_.loads[i](from, nullptr, nullptr, at_[i], block.count());
  if (!widened) return gather(from, bytes, steps, at_[i]);
  alignas(64) uint16_t narrow[kMaxBlock];
  gather(from, bytes, steps, narrow);
  bound_.loads[i](narrow, nullptr, nullptr, at_[i], block.count());
}

void BlockRun::run(const TapeBlock& block) {
  const Tape& tape = bound_.tape;
  const size_t first = tape.sources.size();
  if (bound_.flat) {
    load_numbers_once(bound_.plan.block_columns);
    point(block);
  } else {
    for (size_t i = 0; i < first; ++i) load(i, block);
    for (size_t i = 0; i < tape.code.size(); ++i) at_[first + i] = slot(first + i);
    for (size_t i = 0; i < tape.results.size(); ++i)
      if (direct_[i]) at_[static_cast<size_t>(tape.results[i].value)] = output(i, block);
  }
  compute(block.count());
  store(block);
}

void BlockRun::run_flat(int64_t first, int64_t last) {
  const bool whole = needs_no_slots();
  const int64_t most = whole ? last - first : bound_.plan.block_columns;
  if (whole) load_numbers_once(1);
  for (TapeBlock block{.column = first, .rows = 1}; block.column < last; block.column += most) {
    block.columns = std::min(most, last - block.column);
    run(block);
  }
}

// One group from memory to memory.
bool BlockRun::needs_no_slots() const {
  const auto results = static_cast<std::ptrdiff_t>(bound_.tape.results.size());
  return bound_.steps.size() == 1 && bound_.steps[0].group &&
         std::all_of(direct_.begin(), direct_.begin() + results, [](bool direct) { return direct; });
}

void BlockRun::load_numbers_once(int64_t columns) {
  if (std::exchange(has_numbers_, true)) return;
  const Tape& tape = bound_.tape;
  const size_t first = tape.sources.size();
  for (size_t i = 0; i < first; ++i)
    if (!std::ranges::binary_search(bound_.dense, i)) load(i, {.rows = 1, .columns = columns});
  for (size_t i = 0; i < tape.code.size(); ++i) at_[first + i] = slot(first + i);
}

void BlockRun::point(const TapeBlock& block) {
  const Tape& tape = bound_.tape;
  for (const size_t i : bound_.dense) {
    const TapeSource& source = tape.sources[i];
    at_[i] = static_cast<std::byte*>(const_cast<void*>(inputs_[source.input])) +
             block.column * storage_size(source.dtype);
  }
  for (size_t i = 0; i < tape.results.size(); ++i)
    if (direct_[i]) at_[static_cast<size_t>(tape.results[i].value)] = output(i, block);
}

void BlockRun::compute(int64_t n) {
  const auto at = [&](int value) { return value < 0 ? nullptr : at_[static_cast<size_t>(value)]; };
  for (const BoundTape::Step& s : bound_.steps) {
    if (s.function) {
      s.function(at(s.operands[0]), at(s.operands[1]), at(s.operands[2]),
                 at_[static_cast<size_t>(s.results[0])], n);
      continue;
    }
    std::array<const float*, kMaxGroupOperands> operands;
    std::array<float*, kMaxGroupResults> results;
    for (size_t k = 0; k < operands.size(); ++k) operands[k] = static_cast<const float*>(at(s.operands[k]));
    for (size_t k = 0; k < results.size(); ++k)
      results[k] = static_cast<float*>(at_[static_cast<size_t>(s.results[k])]);
    s.group(operands.data(), results.data(), n);
  }
}

void BlockRun::store(const TapeBlock& block) {
  const Tape& tape = bound_.tape;
  for (size_t i = 0; i < tape.results.size(); ++i)
    if (!tape.results[i].reduced && !direct_[i])
      bound_.stores[i](at_[static_cast<size_t>(tape.results[i].value)], nullptr, nullptr, output(i, block),
                       block.count());
}

}  // namespace temper::cpu
