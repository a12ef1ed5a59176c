#include "devices/cpu/kernels/groups.h"

namespace temper::cpu {

namespace {

class Matcher {
 public:
  Matcher(const Tape& tape, size_t first, const std::vector<int>& uses,
          const std::function<bool(int)>& is_uniform)
      : tape_(tape), first_(first), uses_(uses), is_uniform_(is_uniform) {}

  std::optional<InstructionGroup> find() const {
    const std::optional<Blend> m = blend(0);
    if (!m) return std::nullopt;
    if (std::optional<InstructionGroup> all = adam(*m)) return all;
    const int result = value(1);
    return InstructionGroup{2,
                            group_functions().blend,
                            {m->x, m->s, m->y, m->t, m->x, m->x, m->x, m->x, m->x, m->x, m->x, m->x},
                            {result, result, result}};
  }

 private:
  struct Blend {
    int x, s, y, t;
  };

  // Instructions i and i + 1 are s x + t y; nobody else reads the first.
  std::optional<Blend> blend(size_t i) const {
    if (!is(i, TapeOp::mul) || !is(i + 1, TapeOp::mul_add) || operand(i + 1, 2) != value(i)) return {};
    Blend b{operand(i, 0), operand(i, 1), operand(i + 1, 0), operand(i + 1, 1)};
    if (!is_uniform_(b.s)) std::swap(b.x, b.s);
    if (!is_uniform_(b.t)) std::swap(b.y, b.t);
    const bool fits = is_uniform_(b.s) && is_uniform_(b.t) && b.y != value(i) && lone(i);
    return fits ? std::optional(b) : std::nullopt;
  }

  // After the first moment: the square, the second moment, a root, its scale, a division, perhaps a decay,
  // the step.
  std::optional<InstructionGroup> adam(const Blend& m) const {
    if (!is(2, TapeOp::mul) || operand(2, 0) != m.y || operand(2, 1) != m.y || !lone(2)) return {};
    const std::optional<Blend> v = blend(3);
    if (!v || v->y != value(2) || v->x >= value(0)) return {};
    if (!is(5, TapeOp::sqrt) || operand(5, 0) != value(4) || !lone(5)) return {};
    if (!is(6, TapeOp::mul_add) || operand(6, 0) != value(5) || !lone(6)) return {};
    const int root = operand(6, 1), epsilon = operand(6, 2);
    if (!is(7, TapeOp::div) || operand(7, 0) != value(1) || operand(7, 1) != value(6) || !lone(7)) return {};
    const size_t step = is(8, TapeOp::mul) ? 9 : 8;
    if (!is(step, TapeOp::neg_mul_add) || operand(step, 0) != value(7)) return {};
    const int rate = operand(step, 1);
    int p = operand(step, 2), kept = m.s;
    if (step == 9) {
      if (p != value(8) || !lone(8)) return {};
      p = operand(8, 0), kept = operand(8, 1);
      if (!is_uniform_(kept)) std::swap(p, kept);
    }
    for (const int number : {root, epsilon, rate, kept})
      if (!is_uniform_(number)) return {};
    if (p >= value(0)) return {};
    const GroupFunctions& functions = group_functions();
    return InstructionGroup{step + 1,
                            step == 9 ? functions.adam_decayed : functions.adam,
                            {m.x, m.s, m.y, m.t, v->x, v->s, v->t, root, epsilon, rate, p, kept},
                            {value(1), value(4), value(step)}};
  }

  const TapeInstruction& at(size_t i) const { return tape_.code[first_ + i]; }
  bool is(size_t i, TapeOp op) const {
    return first_ + i < tape_.code.size() && at(i).op == op && at(i).type == DType::f32 &&
           at(i).result == DType::f32;
  }
  int operand(size_t i, size_t k) const { return at(i).operands[k]; }
  int value(size_t i) const { return static_cast<int>(tape_.sources.size() + first_ + i); }
  bool lone(size_t i) const { return uses_[static_cast<size_t>(value(i))] == 1; }

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
