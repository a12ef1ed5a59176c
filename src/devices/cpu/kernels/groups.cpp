#include "devices/cpu/kernels/groups.h"

namespace temper::cpu {

namespace {

class Matcher {
 public:
  Matcher(const Tape& tape, size_t first, const std::vector<int>& uses,
          const std::function<bool(int)>& is_uniform)
      : tape_(tape), first_(first), uses_(uses), is_uniform_(is_uniform) {}

  std::optional<InstructionGroup> find() const {
    const GroupFunctions& functions = group_functions();
    int x = -1, s = -1, y = -1, t = -1;
    if (scaled(0, x, s) && sum(1, value(0), y, t) && y < value(0) && inner(1))
      return InstructionGroup{2, functions.blend, {x, s, y, t, x, x, x}};
    if (is(0, TapeOp::mul) && operand(0, 0) == operand(0, 1) && scaled(1, x, s) && sum(2, value(1), y, t) &&
        y == value(0) && inner(2)) {
      const int base = operand(0, 0);
      return InstructionGroup{3, functions.blend_square, {x, s, base, t, x, x, x}};
    }
    return adam_step(functions);
  }

 private:
  // sqrt, times a number plus a number, a division by that, perhaps a decay, the step.
  std::optional<InstructionGroup> adam_step(const GroupFunctions& functions) const {
    if (!is(0, TapeOp::sqrt) || !is(1, TapeOp::mul_add) || !is(2, TapeOp::div)) return std::nullopt;
    if (operand(1, 0) != value(0) || operand(2, 1) != value(1)) return std::nullopt;
    const int v = operand(0, 0), root = operand(1, 1), epsilon = operand(1, 2), m = operand(2, 0);
    if (!is_uniform_(root) || !is_uniform_(epsilon) || m == value(0)) return std::nullopt;
    int p = -1, kept = -1;
    const size_t step = scaled(3, p, kept) && is(4, TapeOp::neg_mul_add) && operand(4, 2) == value(3) ? 4 : 3;
    if (!is(step, TapeOp::neg_mul_add) || operand(step, 0) != value(2) || !inner(step)) return std::nullopt;
    const int rate = operand(step, 1);
    if (!is_uniform_(rate)) return std::nullopt;
    if (step == 4)
      return InstructionGroup{5, functions.adam_step_of_decayed, {v, root, epsilon, m, rate, p, kept}};
    p = operand(3, 2);
    if (p >= value(0)) return std::nullopt;
    return InstructionGroup{4, functions.adam_step, {v, root, epsilon, m, rate, p, v}};
  }

  const TapeInstruction& at(size_t i) const { return tape_.code[first_ + i]; }
  bool is(size_t i, TapeOp op) const {
    return first_ + i < tape_.code.size() && at(i).op == op && at(i).type == DType::f32 &&
           at(i).result == DType::f32;
  }
  int operand(size_t i, size_t k) const { return at(i).operands[k]; }
  int value(size_t i) const { return static_cast<int>(tape_.sources.size() + first_ + i); }

  // Instruction i is x times the number s.
  bool scaled(size_t i, int& x, int& s) const {
    if (!is(i, TapeOp::mul)) return false;
    x = operand(i, 0), s = operand(i, 1);
    if (!is_uniform_(s)) std::swap(x, s);
    return is_uniform_(s) && x < value(0);
  }

  // Instruction i is y times the number t, plus `addend`.
  bool sum(size_t i, int addend, int& y, int& t) const {
    if (!is(i, TapeOp::mul_add) || operand(i, 2) != addend) return false;
    y = operand(i, 0), t = operand(i, 1);
    if (!is_uniform_(t)) std::swap(y, t);
    return is_uniform_(t) && y != addend;
  }

  // Nobody else reads what the instructions before `last` make.
  bool inner(size_t last) const {
    for (size_t i = 0; i < last; ++i)
      if (uses_[static_cast<size_t>(value(i))] != 1) return false;
    return true;
  }

  const Tape& tape_;
  size_t first_;
  const std::vector<int>& uses_;
  const std::function<bool(int)>& is_uniform_;
};

}  // namespace

std::optional<InstructionGroup> find_group(const Tape& tape, size_t first, const std::vector<int>& uses,
                                           const std::function<bool(int)>& is_uniform) {
  return Matcher(tape, first, uses, is_uniform).find();
}

}  // namespace temper::cpu
