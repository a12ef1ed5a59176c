// Instructions of a tape as expressions in C.
#include <cmath>

#include "base/check.h"
#include "codegen/tape_names.h"
#include "codegen/tape_text.h"

namespace temper {

namespace {

// The unsigned type in which integers of `dtype` are added and multiplied: it wraps, and C widens it no
// further.
std::string_view wrapping(DType dtype) { return bit_width(dtype) == 64 ? "u64" : "u32"; }

std::string wrapped(DType dtype, std::string_view x, std::string_view op, std::string_view y) {
  const std::string_view w = wrapping(dtype);
  return concat("(", stored_text(dtype), ")((", w, ")", x, " ", op, " (", w, ")", y, ")");
}

// A function of the preamble that there is for signed and for unsigned 64-bit integers.
std::string integer_call(DType dtype, std::string_view name, std::string_view x, std::string_view y) {
  const std::string_view wide = is_signed(dtype) ? "i64" : "u64",
                         kind = is_signed(dtype) ? "signed_" : "unsigned_";
  return concat("(", stored_text(dtype), ")", kind, name, "((", wide, ")", x, ", (", wide, ")", y, ")");
}

std::string float_call(DType dtype, std::string_view name, std::string_view x, std::string_view y) {
  return concat(name, dtype == DType::f64 ? "_f64(" : "_f32(", x, y.empty() ? "" : ", ", y, ")");
}

std::string power(DType dtype, std::string_view x, std::string_view y) {
  if (is_float(dtype)) return concat("pow(", x, ", ", y, ")");
  if (is_signed(dtype)) return integer_call(dtype, "power", x, y);
  return concat("(", stored_text(dtype), ")integer_power((u64)", x, ", (u64)", y, ")");
}

std::string shift(const TapeInstruction& i, std::string_view x, std::string_view y) {
  const int bits = bit_width(i.type);
  const std::string_view type = stored_text(i.type), own = unsigned_text(bits);
  const std::string by = concat("(", own, ")", y);
  if (i.op == TapeOp::shift_left)
    return concat("(", by, " >= ", bits, " ? (", type, ")0 : (", type, ")((", wrapping(i.type), ")", x,
                  " << ", by, "))");
  if (i.op == TapeOp::shift_right_logical)
    return concat("(", by, " >= ", bits, " ? (", type, ")0 : (", type, ")((", own, ")", x, " >> ", by, "))");
  std::string twin(own);
  twin[0] = 'i';
  return concat("(", type, ")((", twin, ")", x, " >> (", by, " >= ", bits, " ? ", bits - 1, " : (int)", y,
                "))");
}

std::string float_to_integer(DType from, DType to, std::string_view x) {
  const int bits = bit_width(to) - (is_signed(to) ? 1 : 0);
  const bool wide = from == DType::f64;
  const std::string bound = literal_text(wide ? DType::f64 : DType::f32,
                                         bits == 64 ? 0x1p64 : static_cast<double>(uint64_t{1} << bits), 0);
  const std::string_view type = stored_text(to);
  const uint64_t most = ~uint64_t{0} >> (64 - bits);
  const std::string high = literal_text(to, 0, static_cast<int64_t>(most));
  const std::string low = is_signed(to) ? concat("(", type, ")(-", high, " - 1)") : concat("(", type, ")0");
  return concat("(isnan(", x, ") ? (", type, ")0 : ", x, " >= ", bound, " ? ", high, " : ", x,
                " <= ", is_signed(to) ? concat("-", bound) : "0", " ? ", low, " : (", type, ")", x, ")");
}

// x rounded to a 16-bit float, as an f32.
std::string rounded(DType dtype, std::string_view x) {
  return load_text(dtype, concat("(u16)", store_text(dtype, concat("(f32)", x))));
}

bool narrow(DType dtype) { return dtype == DType::f16 || dtype == DType::bf16; }

std::string bits_text(DType dtype, std::string_view x) {
  if (narrow(dtype)) return store_text(dtype, x);
  if (dtype == DType::f32) return concat("AS_U32(", x, ")");
  if (dtype == DType::f64) return concat("AS_U64(", x, ")");
  return std::string(x);
}

std::string from_bits(DType dtype, std::string_view bits) {
  if (narrow(dtype)) return load_text(dtype, concat("(u16)", bits));
  if (dtype == DType::f32) return concat("AS_F32((u32)", bits, ")");
  if (dtype == DType::f64) return concat("AS_F64((u64)", bits, ")");
  return concat("(", stored_text(dtype), ")", bits);
}

std::string sign(DType dtype, std::string_view x) {
  const std::string_view type = computed_text(dtype);
  if (!is_float(dtype) && !is_signed(dtype)) return concat("(", type, ")(", x, " > 0)");
  return concat("(", x, " > 0 ? (", type, ")1 : ", x, " < 0 ? (", type, ")-1 : ", x, ")");
}

std::string negated(DType dtype, std::string_view x) {
  if (is_float(dtype)) return concat("-", x);
  return concat("(", stored_text(dtype), ")(0 - (", wrapping(dtype), ")", x, ")");
}

std::string one_operand(const TapeInstruction& i, const std::string& x) {
  const DType t = i.type;
  switch (i.op) {
    case TapeOp::abs:
      if (is_float(t)) return concat("fabs(", x, ")");
      return is_signed(t) ? concat("(", x, " < 0 ? ", negated(t, x), " : ", x, ")") : x;
    case TapeOp::neg:
      return negated(t, x);
    case TapeOp::sign:
      return sign(t, x);
    case TapeOp::sigmoid:
      return concat("1 / (1 + exp(-", x, "))");
    case TapeOp::gelu:
    case TapeOp::gelu_slope:
      return float_call(t, to_string(i.op), x, "");
    case TapeOp::round:
      return concat("rint(", x, ")");
    case TapeOp::logical_not:
      return t == DType::boolean ? concat("(u8)(", x, " == 0)") : concat("(", stored_text(t), ")~", x);
    case TapeOp::is_finite:
      return concat("(u8)(isfinite(", x, ") != 0)");
    case TapeOp::convert:
      return convert_text(t, i.result, x);
    case TapeOp::bitcast:
      return from_bits(i.result, bits_text(t, x));
    default:  // functions of C of that name
      return concat(to_string(i.op), "(", x, ")");
  }
}

std::string extreme(const TapeInstruction& i, std::string_view x, std::string_view y) {
  const bool most = i.op == TapeOp::max;
  if (is_float(i.type)) return float_call(i.type, most ? "larger" : "smaller", x, y);
  return concat("(", x, most ? " > " : " < ", y, " ? ", x, " : ", y, ")");
}

std::string arithmetic(const TapeInstruction& i, std::string_view x, std::string_view y) {
  const std::string_view op = i.op == TapeOp::add ? "+" : i.op == TapeOp::sub ? "-" : "*";
  return is_float(i.type) ? concat(x, " ", op, " ", y) : wrapped(i.type, x, op, y);
}

std::string two_operands(const TapeInstruction& i, const std::string& x, const std::string& y) {
  const DType t = i.type;
  const auto bits = [&](std::string_view op) {
    return concat("(", stored_text(t), ")(", x, " ", op, " ", y, ")");
  };
  switch (i.op) {
    case TapeOp::add:
    case TapeOp::sub:
    case TapeOp::mul:
      return arithmetic(i, x, y);
    case TapeOp::div:
      return is_float(t) ? concat(x, " / ", y) : integer_call(t, "quotient", x, y);
    case TapeOp::rem:
      return is_float(t) ? concat("fmod(", x, ", ", y, ")") : integer_call(t, "remainder", x, y);
    case TapeOp::pow:
      return power(t, x, y);
    case TapeOp::max:
    case TapeOp::min:
      return extreme(i, x, y);
    case TapeOp::bit_and:
      return bits("&");
    case TapeOp::bit_or:
      return bits("|");
    case TapeOp::bit_xor:
      return bits("^");
    case TapeOp::shift_left:
    case TapeOp::shift_right_logical:
    case TapeOp::shift_right_arithmetic:
      return shift(i, x, y);
    default: {
      static constexpr std::string_view kSigns[] = {"==", "!=", "<", "<=", ">", ">="};
      const auto at = static_cast<size_t>(i.op) - static_cast<size_t>(TapeOp::eq);
      return concat("(u8)(", x, " ", kSigns[at], " ", y, ")");
    }
  }
}

}  // namespace

std::string convert_text(DType from, DType to, std::string_view x) {
  if (to == DType::boolean) return concat("(u8)(", x, " != 0)");
  if (is_float(to)) {
    if (narrow(to)) return from == to ? std::string(x) : rounded(to, x);
    return concat("(", stored_text(to), ")", x);
  }
  return is_float(from) ? float_to_integer(from, to, x) : concat("(", stored_text(to), ")", x);
}

std::string instruction_text(const TapeInstruction& i, std::span<const std::string> operands) {
  switch (i.op) {
    case TapeOp::select:
      return concat("(", operands[0], " ? ", operands[1], " : ", operands[2], ")");
    case TapeOp::mul_add:
      return concat("MUL_ADD(", operands[0], ", ", operands[1], ", ", operands[2], ")");
    case TapeOp::neg_mul_add:
      return concat("MUL_ADD(-", operands[0], ", ", operands[1], ", ", operands[2], ")");
    default:
      return i.operands[1] < 0 ? one_operand(i, operands[0]) : two_operands(i, operands[0], operands[1]);
  }
}

std::string neutral_text(ReduceKind kind, DType dtype) {
  const bool real = is_float(dtype), sign = is_signed(dtype);
  const int bits = bit_width(dtype);
  const int64_t most = static_cast<int64_t>(~uint64_t{0} >> (64 - bits + (sign ? 1 : 0)));
  switch (kind) {
    case ReduceKind::sum:
      return literal_text(dtype, 0, 0);
    case ReduceKind::prod:
      return literal_text(dtype, 1, 1);
    case ReduceKind::max:
      return real ? literal_text(dtype, -HUGE_VAL, 0) : literal_text(dtype, 0, sign ? -most - 1 : 0);
    case ReduceKind::min:
      return real ? literal_text(dtype, HUGE_VAL, 0)
                  : literal_text(dtype, 0, dtype == DType::boolean ? 1 : most);
    case ReduceKind::logical_and:
      return literal_text(dtype, 0, dtype == DType::boolean ? 1 : sign ? -1 : most);
    case ReduceKind::logical_or:
      return literal_text(dtype, 0, 0);
  }
  check_failed("reduce kind", __FILE_NAME__, __LINE__, "");
}

std::string fold_text(ReduceKind kind, DType dtype, std::string_view x, std::string_view y) {
  static constexpr TapeOp kOps[] = {TapeOp::add, TapeOp::mul,     TapeOp::max,
                                    TapeOp::min, TapeOp::bit_and, TapeOp::bit_or};
  return two_operands({kOps[static_cast<size_t>(kind)], dtype, dtype, {0, 1, -1}}, std::string(x),
                      std::string(y));
}

}  // namespace temper
