// Maps. Where XLA leaves a result open or means another, it is spelled out.
#include <algorithm>

#include "base/check.h"
#include "devices/pjrt/writer.h"

namespace temper::pjrt {

namespace {

using Operands = std::span<const Printed>;

template <size_t N>
struct Name {
  char text[N];
  constexpr Name(const char (&name)[N]) { std::copy_n(name, N, text); }
};

template <Name name>
PrintedList plain(Writer& w, const Node& node, Operands x) {
  return {w.emit(name.text, x, node.outputs[0])};
}

// Of unsigned integers XLA knows no absolute value and no sign.
PrintedList print_abs(Writer& w, const Node& node, Operands x) {
  if (!is_signed(node.outputs[0].dtype)) return {x[0]};
  return {w.emit("abs", x, node.outputs[0])};
}

PrintedList print_sign(Writer& w, const Node& node, Operands x) {
  const Type& type = node.outputs[0];
  if (!is_signed(type.dtype)) return {w.emit("minimum", {x[0], w.full(type, 1)}, type)};
  return {w.emit("sign", x, type)};
}

// By 0 the result is 0.
PrintedList guarded(Writer& w, std::string_view op, const Node& node, Operands x) {
  const Type& type = node.outputs[0];
  if (is_float(type.dtype)) return {w.emit(op, x, type)};
  const Printed zero = w.full(type, 0), is_zero = w.compare(x[1], zero, "EQ");
  const Printed divisor = w.select(is_zero, w.full(type, 1), x[1]);
  return {w.select(is_zero, zero, w.emit(op, {x[0], divisor}, type))};
}
PrintedList print_div(Writer& w, const Node& node, Operands x) { return guarded(w, "divide", node, x); }
PrintedList print_rem(Writer& w, const Node& node, Operands x) { return guarded(w, "remainder", node, x); }

// By squaring, as many rounds as the exponent has bits: XLA's own looks at six of them.
Printed power_of_integers(Writer& w, const Printed& x, const Printed& y) {
  const Type& type = x.type;
  const std::vector<Type> types{
      {DType::i32, {}}, type, type, type};  // the round, the result, x^(2^round), y's rest
  const auto times = [&](const Printed& a, const Printed& b) { return w.emit("multiply", {a, b}, type); };
  const std::string regions[] = {
      w.region(types,
               [&](const PrintedList& in) -> PrintedList {
                 return {w.compare(in[0], w.scalar(DType::i32, bit_width(type.dtype)), "LT")};
               }),
      w.region(types, [&](const PrintedList& in) -> PrintedList {
        const Printed one = w.full(type, 1);
        const Printed odd = w.compare(w.emit("and", {in[3], one}, type), one, "EQ");
        return {w.emit("add", {in[0], w.scalar(DType::i32, 1)}, types[0]),
                w.select(odd, times(in[1], in[2]), in[1]), times(in[2], in[2]),
                w.emit("shift_right_logical", {in[3], one}, type)};
      })};
  const PrintedList start{w.scalar(DType::i32, 0), w.full(type, 1), x, y};
  return w.emit_all("while", start, types, {}, regions)[1];
}

// A negative exponent of integers gives 0 but for x = 1 and -1.
PrintedList print_pow(Writer& w, const Node& node, Operands x) {
  const Type& type = node.outputs[0];
  if (is_float(type.dtype)) return {w.emit("power", x, type)};
  const Printed power = power_of_integers(w, x[0], x[1]);
  if (!is_signed(type.dtype)) return {power};
  const Printed zero = w.full(type, 0), one = w.full(type, 1);
  const Printed is_unit = w.compare(w.emit("abs", {x[0]}, type), one, "EQ");
  const Printed negative = w.compare(x[1], zero, "LT");
  return {w.select(w.emit("and", {negative, w.emit("not", {is_unit}, is_unit.type)}, negative.type), zero,
                   power)};
}

PrintedList print_max(Writer& w, const Node&, Operands x) { return {w.extreme("maximum", x[0], x[1])}; }
PrintedList print_min(Writer& w, const Node&, Operands x) { return {w.extreme("minimum", x[0], x[1])}; }

PrintedList print_compare(Writer& w, const Node& node, Operands x) {
  std::string direction = node.attributes.get<std::string>("direction");
  for (char& letter : direction) letter = static_cast<char>(letter - 'a' + 'A');
  return {w.compare(x[0], x[1], direction)};
}

// Narrow integers go over i32, between whose bounds they are first held: what lies outside them is left open.
PrintedList print_convert(Writer& w, const Node& node, Operands x) {
  const Type& type = node.outputs[0];
  const DType from = x[0].type.dtype;
  if (!is_float(from) || !is_integer(type.dtype)) return {w.convert(x[0], type.dtype)};
  const Printed wide = w.convert(x[0], from == DType::f64 ? DType::f64 : DType::f32);
  const int bits = bit_width(type.dtype) - (is_signed(type.dtype) ? 1 : 0);
  if (bits >= 31) return {w.convert(wide, type.dtype)};
  const double high = static_cast<double>((int64_t{1} << bits) - 1),
               low = is_signed(type.dtype) ? -high - 1 : 0;
  const Printed held = w.emit("clamp", {w.full(wide.type, low), wide, w.full(wide.type, high)}, wide.type);
  return {w.convert(w.convert(held, DType::i32), type.dtype)};
}

std::string convert_why_not(const Graph&, const Node& node) {
  const DType to = node.outputs[0].dtype;
  return is_float(to) && bit_width(to) == 8 ? concat("XLA does not saturate to ", to_string(to)) : "";
}

constexpr Printer kPrinters[] = {
    {"abs", print_abs},
    {"neg", plain<"negate">},
    {"sign", print_sign},
    {"exp", plain<"exponential">},
    {"expm1", plain<"exponential_minus_one">},
    {"log", plain<"log">},
    {"log1p", plain<"log_plus_one">},
    {"sqrt", plain<"sqrt">},
    {"rsqrt", plain<"rsqrt">},
    {"sin", plain<"sine">},
    {"cos", plain<"cosine">},
    {"tanh", plain<"tanh">},
    {"sigmoid", plain<"logistic">},
    {"floor", plain<"floor">},
    {"ceil", plain<"ceil">},
    {"round", plain<"round_nearest_even">},
    {"logical_not", plain<"not">},
    {"is_finite", plain<"is_finite">},
    {"add", plain<"add">},
    {"sub", plain<"subtract">},
    {"mul", plain<"multiply">},
    {"div", print_div},
    {"rem", print_rem},
    {"pow", print_pow},
    {"max", print_max},
    {"min", print_min},
    {"bit_and", plain<"and">},
    {"bit_or", plain<"or">},
    {"bit_xor", plain<"xor">},
    {"shift_left", plain<"shift_left">},
    {"shift_right_logical", plain<"shift_right_logical">},
    {"shift_right_arithmetic", plain<"shift_right_arithmetic">},
    {"compare", print_compare},
    {"select", plain<"select">},
    {"convert", print_convert, convert_why_not},
    {"bitcast", plain<"bitcast_convert">},
};

}  // namespace

std::span<const Printer> map_printers() { return kPrinters; }

}  // namespace temper::pjrt
