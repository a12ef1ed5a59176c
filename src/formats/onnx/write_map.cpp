// Element by element: one operator each, and the activations that several of our nodes make up.
#include <array>
#include <cmath>

#include "formats/onnx/emitter.h"
#include "ops/array.h"

namespace temper::onnx {

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kSame{
    {{"abs", "Abs"},     {"neg", "Neg"},   {"sign", "Sign"},   {"exp", "Exp"},   {"log", "Log"},
     {"sqrt", "Sqrt"},   {"sin", "Sin"},   {"cos", "Cos"},     {"tanh", "Tanh"}, {"sigmoid", "Sigmoid"},
     {"floor", "Floor"}, {"ceil", "Ceil"}, {"round", "Round"}, {"erf", "Erf"},   {"add", "Add"},
     {"sub", "Sub"},     {"mul", "Mul"},   {"div", "Div"},     {"pow", "Pow"},   {"max", "Max"},
     {"min", "Min"},     {"eq", "Equal"},  {"lt", "Less"},     {"gt", "Greater"}}};

std::string_view operator_of(std::string_view op) {
  for (const auto& [ours, theirs] : kSame)
    if (ours == op) return theirs;
  return {};
}

void same(Emitter& e, const Node& node, Value value) {
  e.elementwise(value, operator_of(node.op->name), node.inputs);
}

void expm1(Emitter& e, const Node& node, Value value) {
  e.result(value, "Sub", {e.add("Exp", {e.use(node.inputs[0])}), e.scalar(e.dtype(value), 1)});
}
void log1p(Emitter& e, const Node& node, Value value) {
  e.result(value, "Log", {e.add("Add", {e.use(node.inputs[0]), e.scalar(e.dtype(value), 1)})});
}
void rsqrt(Emitter& e, const Node& node, Value value) {
  e.result(value, "Reciprocal", {e.add("Sqrt", {e.use(node.inputs[0])})});
}
void is_finite(Emitter& e, const Node& node, Value value) {
  const std::string x = e.use(node.inputs[0]);
  e.result(value, "Not", {e.add("Or", {e.add("IsInf", {x}), e.add("IsNaN", {x})})});
}

void logical_not(Emitter& e, const Node& node, Value value) {
  const DType dtype = e.dtype(value);
  if (dtype == DType::boolean) return e.result(value, "Not", {e.use(node.inputs[0])});
  if (e.opset >= 18) return e.result(value, "BitwiseNot", {e.use(node.inputs[0])});
  const std::array<int64_t, 1> all{-1};  // every bit set, in any width
  e.result(value, "Sub", {e.constant(from_int64s({dtype, {}}, all)), e.use(node.inputs[0])});
}

// Bits of integers have operators since opset 18; of truth values always.
void bits(Emitter& e, Value value, const Node& node, std::string_view logical, std::string_view bitwise) {
  const bool boolean = e.dtype(value) == DType::boolean;
  if (!boolean && e.opset < 18) e.unsupported("bits of integers need opset 18");
  e.elementwise(value, boolean ? logical : bitwise, node.inputs);
}
void bit_and(Emitter& e, const Node& node, Value value) { bits(e, value, node, "And", "BitwiseAnd"); }
void bit_or(Emitter& e, const Node& node, Value value) { bits(e, value, node, "Or", "BitwiseOr"); }
void bit_xor(Emitter& e, const Node& node, Value value) { bits(e, value, node, "Xor", "BitwiseXor"); }

void shift(Emitter& e, const Node& node, Value value, std::string_view direction) {
  if (is_signed(e.dtype(value))) e.unsupported("shifts of signed integers");
  e.elementwise(value, "BitShift", node.inputs, {attribute("direction", direction)});
}
void shift_left(Emitter& e, const Node& node, Value value) { shift(e, node, value, "LEFT"); }
void shift_right(Emitter& e, const Node& node, Value value) { shift(e, node, value, "RIGHT"); }

void rem(Emitter& e, const Node& node, Value value) {
  e.elementwise(value, "Mod", node.inputs, {attribute("fmod", int64_t{1})});
}

// x op number, either way round.
struct WithNumber {
  Value x;
  double number;
  Value holder;  // of the number, as the node reads it
};
std::optional<WithNumber> with_number(const Emitter& e, const Node& node) {
  if (const auto number = e.number(node.inputs[1]))
    return WithNumber{node.inputs[0], *number, node.inputs[1]};
  if (const auto number = e.number(node.inputs[0]))
    return WithNumber{node.inputs[1], *number, node.inputs[0]};
  return {};
}
std::optional<WithNumber> with_number(const Emitter& e, Value value, std::string_view op) {
  const Node* node = e.made_by(value, op);
  return node ? with_number(e, *node) : std::nullopt;
}

bool near(double a, double b) { return std::abs(a - b) <= 1e-6 * std::max(1.0, std::abs(b)); }

// min(max(alpha x + beta, 0), 1)
struct HardSigmoid {
  Value x;
  double alpha, beta;
};
std::optional<HardSigmoid> hard_sigmoid(const Emitter& e, Value value) {
  const auto high = with_number(e, value, "min");
  const auto low = high && high->number == 1 ? with_number(e, high->x, "max") : std::nullopt;
  const auto shifted = low && low->number == 0 ? with_number(e, low->x, "add") : std::nullopt;
  const auto scaled = shifted ? with_number(e, shifted->x, "mul") : std::nullopt;
  if (!scaled) return {};
  return HardSigmoid{scaled->x, scaled->number, shifted->number};
}

// A limit of Clip: the scalar that is there, by its name.
std::string limit(Emitter& e, const std::optional<WithNumber>& found) {
  if (!found) return {};
  const Value scalar = e.through_broadcast(found->holder);
  return e.shape(scalar).rank() == 0 ? e.use(scalar) : e.scalar(e.dtype(scalar), found->number);
}

void clip(Emitter& e, Value value, Value x, const std::optional<WithNumber>& low,
          const std::optional<WithNumber>& high) {
  const std::string from = limit(e, low), to = limit(e, high);
  e.result(value, "Clip", {e.use(x), from, to});
}

void minimum(Emitter& e, const Node& node, Value value) {
  if (const auto found = hard_sigmoid(e, value))
    return e.result(value, "HardSigmoid", {e.use(found->x)},
                    {attribute("alpha", found->alpha), attribute("beta", found->beta)});
  const auto high = with_number(e, node);
  if (!high) return same(e, node, value);
  const auto low = with_number(e, high->x, "max");
  clip(e, value, low ? low->x : high->x, low, high);
}

void maximum(Emitter& e, const Node& node, Value value) {
  const auto low = with_number(e, node);
  if (!low) return same(e, node, value);
  if (low->number == 0) return e.result(value, "Relu", {e.use(low->x)});
  clip(e, value, low->x, low, {});
}

void multiply(Emitter& e, const Node& node, Value value) {
  for (size_t i = 0; i < 2; ++i) {
    const auto gate = hard_sigmoid(e, node.inputs[i]);
    if (gate && gate->x == node.inputs[1 - i] && near(gate->alpha, 1.0 / 6) && near(gate->beta, 0.5) &&
        e.opset >= 14)
      return e.result(value, "HardSwish", {e.use(gate->x)});
  }
  same(e, node, value);
}

void compare(Emitter& e, const Node& node, Value value) {
  const std::string& direction = node.attributes.get<std::string>("direction");
  if (direction == "le") return e.elementwise(value, "LessOrEqual", node.inputs);
  if (direction == "ge") return e.elementwise(value, "GreaterOrEqual", node.inputs);
  if (direction != "ne") return e.elementwise(value, operator_of(direction), node.inputs);
  e.result(value, "Not", {e.add("Equal", {e.use(node.inputs[0]), e.use(node.inputs[1])})});
}

// x < 0 ? slope x : x
bool leaky(Emitter& e, const Node& node, Value value) {
  const Node *negative = e.made_by(node.inputs[0], "compare"), *scaled = e.made_by(node.inputs[1], "mul");
  const Value x = node.inputs[2];
  if (!negative || !scaled || negative->attributes.get<std::string>("direction") != "lt" ||
      negative->inputs[0] != x || e.number(negative->inputs[1]) != 0)
    return false;
  if (const auto slope = with_number(e, *scaled); slope && slope->x == x)
    return e.result(value, "LeakyRelu", {e.use(x)}, {attribute("alpha", slope->number)}), true;
  const Value slope = scaled->inputs[1] == x ? scaled->inputs[0] : scaled->inputs[1];
  if (scaled->inputs[0] != x && scaled->inputs[1] != x) return false;
  return e.elementwise(value, "PRelu", {x, slope}), true;
}

void select(Emitter& e, const Node& node, Value value) {
  if (is_float(e.dtype(value)) && bit_width(e.dtype(value)) < 16)
    e.unsupported("a choice between 8-bit floats");
  if (!leaky(e, node, value)) e.elementwise(value, "Where", node.inputs);
}

// ONNX leaves open what a Cast makes of a number beyond the integers there are; ours saturates. Those of 16
// bits and less are floats, too.
void convert(Emitter& e, const Node& node, Value value) {
  const DType from = e.dtype(node.inputs[0]), dtype = e.dtype(value);
  const auto to = [](DType each) {
    return AttributeDefs{attribute("to", static_cast<int64_t>(to_number(each)))};
  };
  std::string x = e.use(node.inputs[0]);
  if (is_float(from) && !is_float(dtype) && dtype != DType::boolean && bit_width(dtype) <= 16) {
    const DType wide = from == DType::f64 ? from : DType::f32;
    if (from != wide) x = e.add("Cast", {x}, to(wide));
    x = e.add("Clip", {x, e.scalar(wide, static_cast<double>(lowest_integer(dtype))),
                       e.scalar(wide, static_cast<double>(highest_integer(dtype)))});
  }
  e.result(value, "Cast", {x}, to(dtype));
}

void constant(Emitter& e, const Node& node, Value value) {
  e.leaf(value, node.attributes.get<Tensor>("value"));
}
void barrier(Emitter& e, const Node& node, Value value) { e.alias(value, e.use(node.inputs[0])); }

constexpr std::array kRows{
    WriteRow{"abs", same},
    WriteRow{"neg", same},
    WriteRow{"sign", same},
    WriteRow{"exp", same},
    WriteRow{"expm1", expm1},
    WriteRow{"log", same},
    WriteRow{"log1p", log1p},
    WriteRow{"sqrt", same},
    WriteRow{"rsqrt", rsqrt},
    WriteRow{"sin", same},
    WriteRow{"cos", same},
    WriteRow{"tanh", same},
    WriteRow{"sigmoid", same},
    WriteRow{"floor", same},
    WriteRow{"ceil", same},
    WriteRow{"round", same},
    WriteRow{"erf", same},
    WriteRow{"logical_not", logical_not},
    WriteRow{"is_finite", is_finite},
    WriteRow{"sub", same},
    WriteRow{"mul", multiply},
    WriteRow{"pow", same},
    WriteRow{"rem", rem},
    WriteRow{"max", maximum},
    WriteRow{"min", minimum},
    WriteRow{"bit_and", bit_and},
    WriteRow{"bit_or", bit_or},
    WriteRow{"bit_xor", bit_xor},
    WriteRow{"shift_left", shift_left},
    WriteRow{"shift_right_logical", shift_right},
    WriteRow{"compare", compare},
    WriteRow{"select", select},
    WriteRow{"convert", convert},
    WriteRow{"constant", constant},
    WriteRow{"barrier", barrier},
};

}  // namespace

std::span<const WriteRow> map_write_rows() { return kRows; }

}  // namespace temper::onnx
