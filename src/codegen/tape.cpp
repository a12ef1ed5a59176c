#include <iterator>

#include "base/text.h"
#include "codegen/tape_names.h"

namespace temper {

namespace {
constexpr std::string_view kOpNames[] = {
    "abs",
    "neg",
    "sign",
    "exp",
    "expm1",
    "log",
    "log1p",
    "sqrt",
    "rsqrt",
    "sin",
    "cos",
    "tanh",
    "sigmoid",
    "erf",
    "gelu",
    "gelu_slope",
    "floor",
    "ceil",
    "round",
    "logical_not",
    "is_finite",
    "convert",
    "bitcast",
    "add",
    "sub",
    "mul",
    "div",
    "rem",
    "pow",
    "max",
    "min",
    "bit_and",
    "bit_or",
    "bit_xor",
    "shift_left",
    "shift_right_logical",
    "shift_right_arithmetic",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "select",
    "mul_add",
    "neg_mul_add",
};
static_assert(std::size(kOpNames) == static_cast<size_t>(TapeOp::neg_mul_add) + 1);
constexpr std::string_view kReduceNames[] = {"sum", "prod", "max", "min", "and", "or"};
}  // namespace

std::string_view to_string(TapeOp op) { return kOpNames[static_cast<size_t>(op)]; }
std::string_view to_string(ReduceKind kind) { return kReduceNames[static_cast<size_t>(kind)]; }

std::optional<TapeOp> tape_op(std::string_view name) {
  for (size_t i = 0; i < static_cast<size_t>(TapeOp::mul_add); ++i)
    if (kOpNames[i] == name) return static_cast<TapeOp>(i);
  return std::nullopt;
}

ReduceKind reduce_kind(std::string_view name) {
  for (size_t i = 0; i < std::size(kReduceNames); ++i)
    if (kReduceNames[i] == name) return static_cast<ReduceKind>(i);
  check_failed("reduce kind", __FILE_NAME__, __LINE__, std::string(name));
}

std::string print(const Tape& tape) {
  std::string out = concat("space [", join(tape.space, ", "), "]");
  if (!tape.reduced.empty()) {
    out += " without";
    for (size_t i = 0; i < tape.reduced.size(); ++i)
      if (tape.reduced[i]) out += concat(" ", i);
  }
  int value = 0;
  for (const TapeSource& s : tape.sources) {
    out += concat("\n%", value++, " = ", to_string(s.dtype));
    if (s.kind == TapeSource::scalar)
      out += is_float(s.dtype) ? concat(" ", s.real) : concat(" ", s.integer);
    else
      out += concat(s.kind == TapeSource::iota ? " iota [" : concat(" input ", s.input, " ["),
                    join(s.axes, ", "), "]");
  }
  for (const TapeInstruction& i : tape.code) {
    out += concat("\n%", value++, " = ", to_string(i.op), " ", to_string(i.result));
    for (int operand : i.operands)
      if (operand >= 0) out += concat(" %", operand);
  }
  for (const TapeResult& r : tape.results)
    out += concat("\nresult ", r.reduced ? to_string(r.kind) : std::string_view("all"), " %", r.value);
  return out + "\n";
}

}  // namespace temper
