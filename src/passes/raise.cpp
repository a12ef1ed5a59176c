// Composites that a file spelled out in primitives become one op again.
#include <cmath>

#include "ops/composites.h"
#include "ops/primitives.h"
#include "ops/uniform.h"
#include "passes/passes.h"

namespace temper {
namespace {

// In narrower types each step of what is spelled out rounds.
bool is_wide_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

bool near(double x, double wanted) { return std::abs(x - wanted) <= 1e-5 * std::abs(wanted); }

// What stands in the graph, asked from its results back.
class Pattern {
 public:
  explicit Pattern(const Graph& graph) : graph_(graph) {}

  // The operands of `value` if `op` makes it; none if another does.
  std::optional<std::vector<Value>> made_by(Value value, std::string_view op) const {
    const Node& node = graph_.node(value);
    if (node.op->name != op) return std::nullopt;
    return node.inputs;
  }

  std::optional<double> number(Value value) const { return ops::uniform_constant(graph_, value); }

  // The other operand of a node that combines something with a constant near `wanted`.
  Value beside_number(Value value, std::string_view op, double wanted) const {
    const auto operands = made_by(value, op);
    for (size_t i = 0; operands && i < 2; ++i) {
      const auto constant = number((*operands)[i]);
      if (constant && near(*constant, wanted) && (i == 1 || op != "div")) return (*operands)[1 - i];
    }
    return {};
  }

  // What a value of one number a row was spread from along the last axis.
  Value unspread(Value value) const {
    for (;;) {
      const Node& node = graph_.node(value);
      const Shape& shape = node.outputs[0].shape;
      const int last = shape.rank() - 1;
      const bool spreads = node.op->name == "broadcast_in_dim", folds = node.op->name == "reshape";
      if (last < 0 || (!spreads && !folds)) return value;
      const Shape& from = graph_.type(node.inputs[0]).shape;
      if (from.rank() != last && from.rank() != last + 1) return value;
      if (from.rank() == last + 1 && from[last] != Dim(1)) return value;
      for (int axis = 0; axis < last; ++axis)
        if (from[axis] != shape[axis] ||
            (spreads && node.attributes.get<Ints>("axes")[static_cast<size_t>(axis)] != axis))
          return value;
      if (folds && shape[last] != Dim(1)) return value;
      value = node.inputs[0];
    }
  }

  // The vector along the last axis that was spread over all rows.
  Value vector(Value value) const {
    const auto operands = made_by(value, "broadcast_in_dim");
    if (!operands) return {};
    const Node& node = graph_.node(value);
    const int last = node.outputs[0].shape.rank() - 1;
    const Shape& from = graph_.type((*operands)[0]).shape;
    const bool fits = from.rank() == 1 && from[0] == node.outputs[0].shape[last] &&
                      node.attributes.get<Ints>("axes") == Ints{last};
    return fits ? (*operands)[0] : Value{};
  }

  // x, if `value` is its mean over the last axis, in each row.
  Value mean_of(Value value) const {
    value = unspread(value);
    for (const std::string_view op : {"div", "mul"}) {
      const auto operands = made_by(value, op);
      if (!operands) continue;
      for (size_t i = 0; i < (op == "div" ? 1u : 2u); ++i) {
        const Value sum = unspread((*operands)[i]);
        const auto count = number((*operands)[1 - i]);
        const auto x = made_by(sum, "reduce");
        if (!x || !count) continue;
        const Shape& shape = graph_.type((*x)[0]).shape;
        const int last = shape.rank() - 1;
        const Attributes& attributes = graph_.node(sum).attributes;
        if (attributes.get<std::string>("kind") != "sum" || attributes.get<Ints>("axes") != Ints{last} ||
            !shape[last].is_static())
          continue;
        const auto size = static_cast<double>(shape.size(last));
        if (near(*count, op == "div" ? size : 1 / size)) return (*x)[0];
      }
    }
    return {};
  }

  // x, if `value` is x^2.
  Value root_of(Value value) const {
    if (const auto operands = made_by(value, "mul"); operands && (*operands)[0] == (*operands)[1])
      return (*operands)[0];
    const auto operands = made_by(value, "pow");
    return operands && number((*operands)[1]) == 2 ? (*operands)[0] : Value{};
  }

  // x, if `value` is the root of x, or 1 over it.
  Value under_root(Value value, bool inverse) const {
    if (const auto operands = made_by(value, inverse ? "rsqrt" : "sqrt")) return (*operands)[0];
    const auto operands = made_by(value, "div");
    const bool inverted = inverse && operands && number((*operands)[0]) == 1;
    return inverted ? under_root(unspread((*operands)[1]), false) : Value{};
  }

 private:
  const Graph& graph_;
};

// The factors of a product, those of its factors too; the constant ones as one number. No more than a few.
struct Factors {
  double number = 1;
  std::vector<Value> values;
  int seen = 0;
};
void take_apart(const Pattern& pattern, Value value, Factors& factors) {
  constexpr int kMost = 8;
  if (++factors.seen > kMost) return;
  if (const auto constant = pattern.number(value)) {
    factors.number *= *constant;
  } else if (const auto operands = pattern.made_by(value, "mul")) {
    for (const Value operand : *operands) take_apart(pattern, operand, factors);
  } else {
    factors.values.push_back(value);
  }
}

// x, if the product of `operands` is x (1 + erf(x / sqrt 2)) / 2.
Value gelu_of(const Pattern& pattern, std::span<const Value> operands) {
  Factors factors;
  for (const Value operand : operands) take_apart(pattern, operand, factors);
  if (factors.values.size() != 2 || !near(factors.number, 0.5)) return {};
  for (size_t i = 0; i < 2; ++i) {
    const Value x = factors.values[i], erf = pattern.beside_number(factors.values[1 - i], "add", 1);
    const auto inner = erf ? pattern.made_by(erf, "erf") : std::nullopt;
    if (!inner) continue;
    if (pattern.beside_number((*inner)[0], "div", std::sqrt(2.0)) == x ||
        pattern.beside_number((*inner)[0], "mul", std::sqrt(0.5)) == x)
      return x;
  }
  return {};
}

struct Norm {
  Value x;
  double epsilon = 0;
};

// x, if `value` is (x - mean) / sqrt(variance + epsilon) over the last axis.
std::optional<Norm> norm_of(const Pattern& pattern, Value value) {
  for (const std::string_view op : {"mul", "div"}) {
    const auto operands = pattern.made_by(value, op);
    if (!operands) continue;
    for (size_t i = 0; i < (op == "div" ? 1u : 2u); ++i) {
      const Value centred = (*operands)[i], rest = pattern.unspread((*operands)[1 - i]);
      const Value inside = pattern.under_root(rest, op == "mul");
      const auto sum = inside ? pattern.made_by(pattern.unspread(inside), "add") : std::nullopt;
      const auto difference = pattern.made_by(centred, "sub");
      if (!sum || !difference || pattern.mean_of((*difference)[1]) != (*difference)[0]) continue;
      for (size_t k = 0; k < 2; ++k) {
        const auto epsilon = pattern.number((*sum)[k]);
        const Value square = epsilon ? pattern.mean_of((*sum)[1 - k]) : Value{};
        if (square && pattern.root_of(square) == centred) return Norm{(*difference)[0], *epsilon};
      }
    }
  }
  return std::nullopt;
}

// The layer norm that the sum of `operands` is.
std::optional<std::vector<Value>> layer_norm(Builder& b, std::span<const Value> operands) {
  const Pattern pattern(b.graph());
  for (size_t i = 0; i < 2; ++i) {
    const Value bias = pattern.vector(operands[1 - i]);
    const auto product = pattern.made_by(operands[i], "mul");
    for (size_t k = 0; bias && product && k < 2; ++k) {
      const Value scale = pattern.vector((*product)[1 - k]);
      const auto norm = scale ? norm_of(pattern, (*product)[k]) : std::nullopt;
      if (!norm) continue;
      const int last = b.shape(norm->x).rank() - 1;
      return std::vector{ops::layer_norm(b, norm->x, scale, bias, last, norm->epsilon).y};
    }
  }
  return std::nullopt;
}

}  // namespace

Graph raise_composites(const Graph& graph) {
  const auto raise = [](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
    const std::string_view op = view.node.op->name;
    if ((op != "mul" && op != "add") || !is_wide_float(view.node.outputs[0].dtype)) return std::nullopt;
    if (op == "add") return layer_norm(b, view.inputs);
    const Value x = gelu_of(Pattern(b.graph()), view.inputs);
    if (!x) return std::nullopt;
    return std::vector{ops::gelu(b, x, false)};
  };
  return eliminate_dead(rewrite(graph, raise));
}

}  // namespace temper
