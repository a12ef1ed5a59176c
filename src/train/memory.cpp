#include "train/memory.h"

#include <algorithm>

#include "base/memory.h"
#include "base/text.h"
#include "report/table.h"
#include "runtime/compile.h"
#include "temper/error.h"

namespace temper {
namespace {

constexpr int64_t kRoom = 16 << 20;   // for batches, the stacks of threads, pages that are not full
constexpr int64_t kUnit = 1'000'000;  // in which memory is named: what is asked for is rounded up

int64_t rounded_up(int64_t bytes) { return (bytes + kUnit - 1) / kUnit * kUnit; }

// The least memory of a program at `batch`, or 0 if `left` is enough.
int64_t lacks(const CompileBatch& compile, int64_t batch, int64_t left) {
  try {
    compile(batch, left);
    return 0;
  } catch (const MemoryRefused& refused) {
    return refused.least();
  }
}

// The largest batch below `batch` that a few guesses find; 0 if not even one sample fits. What is needed is
// nearly linear in the batch: `need` at `batch`.
int64_t batch_that_fits(const CompileBatch& compile, int64_t batch, int64_t need, int64_t left) {
  constexpr int kGuesses = 4;
  int64_t low = 0, high = batch;
  double slope = static_cast<double>(need) / static_cast<double>(batch);
  for (int i = 0; i < kGuesses && high - low > 1; ++i) {
    const auto surplus = static_cast<int64_t>(static_cast<double>(need - left) / slope) + 1;
    const int64_t guess = std::clamp(high - surplus, i + 1 == kGuesses ? int64_t{1} : low + 1, high - 1);
    const int64_t less = lacks(compile, guess, left);
    if (less == 0) {
      low = guess;
      continue;
    }
    slope = std::max(1.0, static_cast<double>(need - less) / static_cast<double>(high - guess));
    high = guess, need = less;
  }
  return low;
}

}  // namespace

int64_t program_memory(int64_t limit, Device& device, const Graph& graph, const CompileOptions& options,
                       int64_t held) {
  if (limit <= 0) return 0;
  CompileOptions unlimited = options;
  unlimited.memory_limit = 0;
  const std::unique_ptr<Executable> executable = compile(device, graph, unlimited);
  return std::max<int64_t>(1, limit - resident_bytes() - held - kRoom);
}

Repeated repeated(std::span<const LaunchProfile> launches) {
  Repeated result;
  double flops = 0, bytes = 0;
  for (const LaunchProfile& launch : launches) {
    result.launches += launch.again;
    (launch.again ? result.flops : flops) += static_cast<double>(launch.flops);
    (launch.again ? result.bytes : bytes) += static_cast<double>(launch.bytes);
  }
  if (flops > 0) result.flops /= flops;
  if (bytes > 0) result.bytes /= bytes;
  return result;
}

std::string memory_text(const Executable& executable, int64_t limit, int64_t left) {
  const int64_t needed = limit - left + executable.program().memory.total();
  const Repeated more = repeated(executable.launches());
  std::string text = concat(byte_text(needed), " of ", byte_text(limit), " allowed");
  if (more.launches == 0) return text + "; nothing is computed twice";
  return text + concat("; ", percent_text(more.flops), " more arithmetic, ", percent_text(more.bytes),
                       " more traffic");
}

void compile_within(int64_t limit, int64_t left, int64_t batch, const CompileBatch& compile) {
  try {
    return compile(batch, left);
  } catch (const MemoryRefused& refused) {
    const int64_t fits = batch_that_fits(compile, batch, refused.least(), left);
    throw Error(
        ErrorKind::exhausted,
        concat("memory: a step of batch ", batch, " needs at least ",
               rounded_up(limit - left + refused.least()) / kUnit, "M, more than the ", limit / kUnit,
               "M allowed; ", fits > 0 ? concat("a batch of ", fits, " fits") : "not even a batch of 1 fits",
               "; the largest tensors: ", refused.largest()));
  }
}

}  // namespace temper
