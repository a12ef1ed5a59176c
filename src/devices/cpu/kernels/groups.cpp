#include "devices/cpu/kernels/groups.h"

#include <algorithm>

namespace temper::cpu {

namespace {

class Matcher {
 public:
  Matcher(const Tape& tape, size_t first, const std::vector<int>& uses,
          const std::function<bool(int)>& is_uniform)
      : tape_(tape), first_(first), uses_(uses), is_uniform_(is_uniform) {}

  std::optional<InstructionGroup> find() const {
    if (std::optional<InstructionGroup> all = scaled_adam()) return all;
    const std::optional<Blend> m = blend(0);
    if (!m) return std::nullopt;
    if (std::optional<InstructionGroup> all = adam(*m, 0)) return all;
    InstructionGroup group{.count = 2, .function = group_functions().blend};
    group.operands.fill(m->x);
    group.results.fill(value(1));
    std::ranges::copy(std::array{m->x, m->s, m->y, m->t}, group.operands.begin());
    return group;
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

  // A gradient that is scaled first, by nobody else read.
  std::optional<InstructionGroup> scaled_adam() const {
    if (!is(0, TapeOp::mul) || uses_[static_cast<size_t>(value(0))] != 3) return {};
    int g = operand(0, 0), scale = operand(0, 1);
    if (!is_uniform_(scale)) std::swap(g, scale);
    const std::optional<Blend> m = blend(1);
    if (!is_uniform_(scale) || !m || m->y != value(0) || m->x >= value(0)) return {};
    std::optional<InstructionGroup> group = adam(*m, 1);
    if (!group) return {};
    group->operands[2] = g, group->operands[12] = scale;
    return group;
  }

  // From the first moment on, which instructions `i` and the next are: the square, the second moment, a root,
  // its scale, a division, perhaps a decay, the step, perhaps a moving average.
  std::optional<InstructionGroup> adam(const Blend& m, size_t i) const {
    if (!is(i + 2, TapeOp::mul) || operand(i + 2, 0) != m.y || operand(i + 2, 1) != m.y || !lone(i + 2))
      return {};
    const std::optional<Blend> v = blend(i + 3);
    if (!v || v->y != value(i + 2) || v->x >= value(0)) return {};
    if (!is(i + 5, TapeOp::sqrt) || operand(i + 5, 0) != value(i + 4) || !lone(i + 5)) return {};
    if (!is(i + 6, TapeOp::mul_add) || operand(i + 6, 0) != value(i + 5) || !lone(i + 6)) return {};
    const int root = operand(i + 6, 1), epsilon = operand(i + 6, 2);
    if (!is(i + 7, TapeOp::div) || operand(i + 7, 0) != value(i + 1) || operand(i + 7, 1) != value(i + 6) ||
        !lone(i + 7))
      return {};
    const bool decayed = is(i + 8, TapeOp::mul);
    const size_t step = decayed ? i + 9 : i + 8;
    if (!is(step, TapeOp::neg_mul_add) || operand(step, 0) != value(i + 7)) return {};
    const int rate = operand(step, 1);
    int p = operand(step, 2), kept = m.s;
    if (decayed) {
      if (p != value(i + 8) || !lone(i + 8)) return {};
      p = operand(i + 8, 0), kept = operand(i + 8, 1);
      if (!is_uniform_(kept)) std::swap(p, kept);
    }
    for (const int number : {root, epsilon, rate, kept})
      if (!is_uniform_(number)) return {};
    if (p >= value(0)) return {};
    std::optional<Blend> average = blend(step + 1);
    if (average && (average->y != value(step) || average->x >= value(0))) average.reset();
    using Functions = GroupFunctions;
    const int which = (decayed ? Functions::kDecayed : 0) | (i > 0 ? Functions::kScaled : 0) |
                      (average ? Functions::kAveraged : 0);
    const Blend last = average.value_or(m);
    return InstructionGroup{
        .count = step + (average ? 3 : 1),
        .function = group_functions().adam[static_cast<size_t>(which)],
        .operands = {m.x, m.s, m.y, m.t, v->x, v->s, v->t, root, epsilon, rate, p, kept, m.s, last.x, last.s,
                     last.t},
        .results = {value(i + 1), value(i + 4), value(step), average ? value(step + 2) : value(step)}};
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
