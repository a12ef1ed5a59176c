#pragma once
// Instructions that follow each other in the updates of optimizers, as one function over a block: what lies
// between them stays in registers. Each does in the same order what its instructions do one by one, so the
// bits are the same.
#include <array>
#include <functional>
#include <optional>

#include "codegen/tape.h"

namespace temper::cpu {

inline constexpr size_t kMaxGroupOperands = 7;
using GroupFunction = void (*)(const float* const* operands, float* out, int64_t n);

struct InstructionGroup {
  size_t count = 0;  // instructions; the last one's result is the group's
  GroupFunction function = nullptr;
  std::array<int, kMaxGroupOperands> operands{};  // values; spare ones repeat the first
};

// The group that begins with instruction `first`. uses: by value, how often it is read, results included;
// is_uniform: whether a value is one number for the whole space.
std::optional<InstructionGroup> find_group(const Tape& tape, size_t first, const std::vector<int>& uses,
                                           const std::function<bool(int)>& is_uniform);

struct GroupFunctions {
  GroupFunction blend;                 // x, s, y, t: s x + t y
  GroupFunction blend_square;          // x, s, y, t: s x + t y^2
  GroupFunction adam_step;             // v, root, epsilon, m, rate, p: p - rate m / (root sqrt(v) + epsilon)
  GroupFunction adam_step_of_decayed;  // and kept: the same of kept p
};
const GroupFunctions& group_functions();

}  // namespace temper::cpu
