#pragma once
// Instructions that follow each other in the updates of optimizers, as one function over a block: what lies
// between them stays in registers. It does in the same order what the instructions do one by one, so the
// bits are the same; but numbers below 2^-126 are 0. Moments of what has no gradient any more decay to such
// numbers, of which arithmetic takes several times as long.
#include <array>
#include <functional>
#include <optional>

#include "codegen/tape.h"

namespace temper::cpu {

inline constexpr size_t kMaxGroupOperands = 16, kMaxGroupResults = 4;
// A result may lie where an operand does. Operands that are one number are read at their first element.
using GroupFunction = void (*)(const float* const* operands, float* const* results, int64_t n);

struct InstructionGroup {
  size_t count = 0;  // instructions
  GroupFunction function = nullptr;
  std::array<int, kMaxGroupOperands> operands{};  // values, as GroupFunctions names them; spare ones: any
  std::array<int, kMaxGroupResults> results{};
};

// The group that begins with instruction `first`. uses: by value, how often it is read, results included;
// is_uniform: whether a value is one number for the whole space.
std::optional<InstructionGroup> find_group(const Tape& tape, size_t first, const std::vector<int>& uses,
                                           const std::function<bool(int)>& is_uniform);

struct GroupFunctions {
  // x, s, y, t: s x + t y
  GroupFunction blend;
  // m, s, g, t, v, s2, t2, root, epsilon, rate, p, kept, scale, average, s3, t3: m' = s m + t g, v' = s2 v +
  // t2 g^2 and p' = p - rate m' / (root sqrt(v') + epsilon). The index says what else: of kept p, of scale g,
  // and average' = s3 average + t3 p'.
  enum { kDecayed = 1, kScaled = 2, kAveraged = 4 };
  std::array<GroupFunction, 8> adam;
};
const GroupFunctions& group_functions();

}  // namespace temper::cpu
