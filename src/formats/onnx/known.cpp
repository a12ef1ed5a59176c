#include "formats/onnx/known.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string_view>

namespace temper::onnx {

namespace {

constexpr int64_t kLimit = 1 << 12;  // elements

using Result = std::optional<Known>;
using Operands = std::vector<const Known*>;

int64_t count_of(const Known& known) { return known.shape.elements(); }

bool small(const Shape& shape) { return shape.is_static() && shape.elements() <= kLimit; }

// The element of `from` that stands at each place of the result.
Result pick(const Known& from, const Shape& shape, const std::vector<int64_t>& places) {
  Known result{from.dtype, shape, {}, {}};
  for (const int64_t place : places) {
    const auto i = static_cast<size_t>(place);
    if (is_float(from.dtype))
      result.reals.push_back(from.reals[i]);
    else
      result.ints.push_back(from.ints[i]);
  }
  return result;
}

std::vector<int64_t> strides_of(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size(), 1);
  for (size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * sizes[i];
  return strides;
}

// Row-major places of a result whose axis i steps by strides[i] through the operand, from `offset`.
std::vector<int64_t> places_of(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides,
                               int64_t offset) {
  std::vector<int64_t> places{offset};
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    std::vector<int64_t> next;
    for (const int64_t place : places)
      for (int64_t i = 0; i < sizes[axis]; ++i) next.push_back(place + i * strides[axis]);
    places = std::move(next);
  }
  return places;
}

Result reshape(const Node& node, const Operands& in) {
  Known result = *in[0];
  result.shape = node.outputs[0].shape;
  return result;
}

Result broadcast(const Node& node, const Operands& in) {
  const std::vector<int64_t> sizes = node.outputs[0].shape.sizes(), from = in[0]->shape.sizes();
  const std::vector<int64_t> inner = strides_of(from);
  std::vector<int64_t> strides(sizes.size());
  const Ints& axes = node.attributes.get<Ints>("axes");
  for (size_t i = 0; i < axes.size(); ++i)
    strides[static_cast<size_t>(axes[i])] = from[i] == 1 ? 0 : inner[i];
  return pick(*in[0], node.outputs[0].shape, places_of(sizes, strides, 0));
}

Result transpose(const Node& node, const Operands& in) {
  const std::vector<int64_t> inner = strides_of(in[0]->shape.sizes());
  std::vector<int64_t> strides;
  for (const int64_t axis : node.attributes.get<Ints>("permutation"))
    strides.push_back(inner[static_cast<size_t>(axis)]);
  return pick(*in[0], node.outputs[0].shape, places_of(node.outputs[0].shape.sizes(), strides, 0));
}

Result slice(const Node& node, const Operands& in) {
  std::vector<int64_t> strides = strides_of(in[0]->shape.sizes());
  const Ints &starts = node.attributes.get<Ints>("starts"), &steps = node.attributes.get<Ints>("strides");
  int64_t offset = 0;
  for (size_t i = 0; i < strides.size(); ++i) {
    offset += starts[i] * strides[i];
    strides[i] *= steps[i];
  }
  return pick(*in[0], node.outputs[0].shape, places_of(node.outputs[0].shape.sizes(), strides, offset));
}

Result concat(const Node& node, const Operands& in) {
  const auto axis = static_cast<size_t>(node.attributes.get<int64_t>("axis"));
  Known result{in[0]->dtype, node.outputs[0].shape, {}, {}};
  const std::vector<int64_t> sizes = result.shape.sizes();
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < sizes.size(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : sizes[i];
  for (int64_t row = 0; row < outer; ++row) {
    for (const Known* part : in) {
      const int64_t length = part->shape.size(static_cast<int>(axis)) * inner;
      for (int64_t i = row * length; i < (row + 1) * length; ++i) {
        if (is_float(result.dtype))
          result.reals.push_back(part->reals[static_cast<size_t>(i)]);
        else
          result.ints.push_back(part->ints[static_cast<size_t>(i)]);
      }
    }
  }
  return result;
}

// Only x[i] along axis 0 of a vector: what shapes are indexed by.
Result gather(const Node& node, const Operands& in) {
  if (in[0]->shape.rank() != 1 || node.attributes.get<Ints>("collapsed_slice_dims") != Ints{0}) return {};
  std::vector<int64_t> places;
  for (const Dim& index : in[1]->ints) {
    if (!index.is_static() || count_of(*in[0]) == 0) return {};
    places.push_back(std::clamp<int64_t>(index.factor(), 0, count_of(*in[0]) - 1));
  }
  if (static_cast<int64_t>(places.size()) != node.outputs[0].shape.elements()) return {};
  return pick(*in[0], node.outputs[0].shape, places);
}

Result iota(const Node& node, const Operands&) {
  const std::vector<int64_t> sizes = node.outputs[0].shape.sizes();
  std::vector<int64_t> strides(sizes.size());
  strides[static_cast<size_t>(node.attributes.get<int64_t>("axis"))] = 1;
  Known result{node.outputs[0].dtype, node.outputs[0].shape, {}, {}};
  for (const int64_t place : places_of(sizes, strides, 0)) {
    if (is_float(result.dtype))
      result.reals.push_back(static_cast<double>(place));
    else
      result.ints.emplace_back(place);
  }
  return result;
}

Result convert(const Node& node, const Operands& in) {
  const DType to = node.outputs[0].dtype;
  Known result{to, in[0]->shape, {}, {}};
  const bool was_float = is_float(in[0]->dtype);
  if (!was_float && !is_float(to) && to != DType::boolean && bit_width(to) >= 32) {
    result.ints = in[0]->ints;  // a dimension fits 32 bits or is refused elsewhere
    return result;
  }
  std::vector<int64_t> integers;
  for (const Dim& dim : in[0]->ints) {
    if (!dim.is_static()) return {};
    integers.push_back(dim.factor());
  }
  const Type from{in[0]->dtype, in[0]->shape}, type{to, in[0]->shape};
  if (to == DType::boolean) {
    for (size_t i = 0; i < static_cast<size_t>(count_of(*in[0])); ++i)
      result.ints.emplace_back(was_float ? in[0]->reals[i] != 0 : integers[i] != 0);
  } else if (is_float(to)) {
    result.reals = was_float ? in[0]->reals : std::vector<double>(integers.begin(), integers.end());
    for (double& value : result.reals) value = round_to(to, value);
  } else if (was_float) {
    for (const double value : in[0]->reals) {
      if (!(std::abs(value) < 0x1p62)) return {};
      result.ints.emplace_back(static_cast<int64_t>(value));
    }
  } else {
    for (const int64_t value : to_int64s(from_int64s(type, integers))) result.ints.emplace_back(value);
  }
  return result;
}

// -1, 0, 1; none if it depends on the size of a symbol, which is at least 1.
std::optional<int> order(const Dim& a, const Dim& b) {
  const auto sign = [](int64_t x, int64_t y) { return x < y ? -1 : x > y ? 1 : 0; };
  if (a.symbol_name() == b.symbol_name()) return sign(a.factor(), b.factor());
  if (a.is_static() && a.factor() < b.factor()) return -1;
  if (b.is_static() && b.factor() < a.factor()) return 1;
  return {};
}

std::optional<Dim> add(const Dim& a, const Dim& b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a.factor(), b.factor(), &sum)) return {};
  if (a.symbol_name() == b.symbol_name()) return a.is_static() ? Dim(sum) : Dim(sum, a.symbol_name());
  if (a.factor() == 0) return b;
  return b.factor() == 0 ? std::optional<Dim>(a) : std::nullopt;
}

std::optional<Dim> subtract(const Dim& a, const Dim& b) {
  if (b.is_static() && b.factor() != INT64_MIN) return add(a, Dim(-b.factor()));
  if (a.symbol_name() != b.symbol_name() || a.factor() < b.factor()) return {};
  return a.factor() == b.factor() ? Dim(0) : Dim(a.factor() - b.factor(), a.symbol_name());
}

std::optional<Dim> remainder(const Dim& a, const Dim& b) {
  if (b.factor() == 0 || b.factor() == -1) return {};
  if (a.is_static() && b.is_static()) return Dim(a.factor() % b.factor());
  const bool divides = a.factor() % b.factor() == 0 && (b.is_static() || a.symbol_name() == b.symbol_name());
  return divides ? std::optional<Dim>(0) : std::nullopt;
}

std::optional<Dim> larger(const Dim& a, const Dim& b) {
  const std::optional<int> sign = order(a, b);
  return sign ? std::optional(*sign > 0 ? a : b) : std::nullopt;
}

std::optional<Dim> smaller(const Dim& a, const Dim& b) {
  const std::optional<int> sign = order(a, b);
  return sign ? std::optional(*sign < 0 ? a : b) : std::nullopt;
}

template <class Rule>
std::optional<Dim> of_numbers(const Dim& a, const Dim& b, Rule rule) {
  if (!a.is_static() || !b.is_static()) return {};
  return Dim(rule(a.factor(), b.factor()));
}
std::optional<Dim> both(const Dim& a, const Dim& b) {
  return of_numbers(a, b, [](int64_t x, int64_t y) { return x & y; });
}
std::optional<Dim> either(const Dim& a, const Dim& b) {
  return of_numbers(a, b, [](int64_t x, int64_t y) { return x | y; });
}
std::optional<Dim> one_of(const Dim& a, const Dim& b) {
  return of_numbers(a, b, [](int64_t x, int64_t y) { return x ^ y; });
}

// By fewer bits than any type has; only of what is not negative, where all kinds of shifts agree.
bool shiftable(const Dim& a, const Dim& b) {
  return a.factor() >= 0 && b.is_static() && b.factor() >= 0 && b.factor() < 8;
}
std::optional<Dim> shifted_left(const Dim& a, const Dim& b) {
  return shiftable(a, b) ? multiply(a, int64_t{1} << b.factor()) : std::nullopt;
}
std::optional<Dim> shifted_right(const Dim& a, const Dim& b) {
  return shiftable(a, b) ? divide(a, int64_t{1} << b.factor()) : std::nullopt;
}

struct Binary {
  std::optional<Dim> (*ints)(const Dim&, const Dim&);
  double (*reals)(double, double);
};
const std::map<std::string_view, Binary> kBinary{
    {"add", {add, [](double a, double b) { return a + b; }}},
    {"sub", {subtract, [](double a, double b) { return a - b; }}},
    {"mul", {multiply, [](double a, double b) { return a * b; }}},
    {"div", {divide, [](double a, double b) { return a / b; }}},
    {"rem", {remainder, [](double a, double b) { return std::fmod(a, b); }}},
    {"max", {larger, [](double a, double b) { return std::isnan(a) || a > b ? a : b; }}},
    {"min", {smaller, [](double a, double b) { return std::isnan(a) || a < b ? a : b; }}},
    {"pow", {nullptr, [](double a, double b) { return std::pow(a, b); }}},
    {"bit_and", {both, nullptr}},
    {"bit_or", {either, nullptr}},
    {"bit_xor", {one_of, nullptr}},
    {"shift_left", {shifted_left, nullptr}},
    {"shift_right_logical", {shifted_right, nullptr}},
    {"shift_right_arithmetic", {shifted_right, nullptr}},
};

const std::map<std::string_view, double (*)(double)> kUnary{
    {"neg", [](double x) { return -x; }},
    {"sign", [](double x) { return x > 0   ? 1.0
                                   : x < 0 ? -1.0
                                           : x; }},
    {"abs", [](double x) { return std::abs(x); }},
    {"floor", [](double x) { return std::floor(x); }},
    {"ceil", [](double x) { return std::ceil(x); }},
    {"round", [](double x) { return std::nearbyint(x); }},
    {"sqrt", [](double x) { return std::sqrt(x); }},
    {"rsqrt", [](double x) { return 1 / std::sqrt(x); }},
    {"exp", [](double x) { return std::exp(x); }},
    {"log", [](double x) { return std::log(x); }},
};

// Arithmetic that wraps round is left to the device.
bool fits(DType dtype, const Dim& dim) {
  const int bits = bit_width(dtype);
  if (!dim.is_static() || bits >= 64) return true;
  const int64_t limit = int64_t{1} << (is_signed(dtype) ? bits - 1 : bits);
  return dim.factor() < limit && dim.factor() >= (is_signed(dtype) ? -limit : 0);
}

Result binary(const Binary& rule, const Operands& in) {
  Known result{in[0]->dtype, in[0]->shape, {}, {}};
  for (size_t i = 0; i < static_cast<size_t>(count_of(result)); ++i) {
    if (is_float(result.dtype)) {
      if (!rule.reals) return {};
      result.reals.push_back(round_to(result.dtype, rule.reals(in[0]->reals[i], in[1]->reals[i])));
    } else {
      const std::optional<Dim> value = rule.ints ? rule.ints(in[0]->ints[i], in[1]->ints[i]) : std::nullopt;
      if (!value || !fits(result.dtype, *value)) return {};
      result.ints.push_back(*value);
    }
  }
  return result;
}

std::optional<Dim> unary_integer(std::string_view name, const Dim& dim) {
  if (name == "floor" || name == "ceil" || name == "round") return dim;
  if (!dim.is_static())
    return name == "abs" ? std::optional(dim) : name == "sign" ? std::optional(Dim(1)) : std::nullopt;
  const int64_t value = dim.factor();
  if (name == "sign") return Dim((value > 0) - (value < 0));
  if (value == INT64_MIN) return {};
  if (name == "neg") return Dim(-value);
  return name == "abs" ? std::optional(Dim(std::abs(value))) : std::nullopt;
}

Result unary(std::string_view name, const Operands& in) {
  Known result{in[0]->dtype, in[0]->shape, {}, {}};
  for (const Dim& dim : in[0]->ints) {
    const std::optional<Dim> value = unary_integer(name, dim);
    if (!value || !fits(result.dtype, *value)) return {};
    result.ints.push_back(*value);
  }
  for (const double value : in[0]->reals)
    result.reals.push_back(round_to(result.dtype, kUnary.at(name)(value)));
  return result;
}

Result compare(const Node& node, const Operands& in) {
  const std::string& direction = node.attributes.get<std::string>("direction");
  Known result{DType::boolean, in[0]->shape, {}, {}};
  for (size_t i = 0; i < static_cast<size_t>(count_of(result)); ++i) {
    std::optional<int> sign;
    if (is_float(in[0]->dtype)) {
      const double a = in[0]->reals[i], b = in[1]->reals[i];
      if (std::isnan(a) || std::isnan(b)) return {};
      sign = a < b ? -1 : a > b;
    } else {
      sign = order(in[0]->ints[i], in[1]->ints[i]);
    }
    if (!sign) return {};
    result.ints.emplace_back(direction == "eq"   ? *sign == 0
                             : direction == "ne" ? *sign != 0
                             : direction == "lt" ? *sign < 0
                             : direction == "le" ? *sign <= 0
                             : direction == "gt" ? *sign > 0
                                                 : *sign >= 0);
  }
  return result;
}

Result select(const Node&, const Operands& in) {
  Known result{in[1]->dtype, in[1]->shape, {}, {}};
  for (size_t i = 0; i < static_cast<size_t>(count_of(result)); ++i) {
    const Known& from = in[0]->ints[i].factor() != 0 ? *in[1] : *in[2];
    if (is_float(result.dtype))
      result.reals.push_back(from.reals[i]);
    else
      result.ints.push_back(from.ints[i]);
  }
  return result;
}

Result logical_not(const Node&, const Operands& in) {
  if (in[0]->dtype != DType::boolean) return {};
  Known result{DType::boolean, in[0]->shape, {}, {}};
  for (const Dim& value : in[0]->ints) result.ints.emplace_back(value.factor() == 0);
  return result;
}

// All of it to one number: products and sums of shapes.
Result reduce(const Node& node, const Operands& in) {
  const std::string& kind = node.attributes.get<std::string>("kind");
  const auto rule = kBinary.find(kind == "sum" ? "add" : kind == "prod" ? "mul" : kind);
  if (rule == kBinary.end() || is_float(in[0]->dtype) || node.outputs[0].shape.rank() != 0) return {};
  if (in[0]->ints.empty() && kind != "sum" && kind != "prod") return {};
  Dim total = in[0]->ints.empty() ? Dim(kind == "prod") : in[0]->ints[0];
  for (size_t i = 1; i < in[0]->ints.size(); ++i) {
    const std::optional<Dim> next = rule->second.ints(total, in[0]->ints[i]);
    if (!next) return {};
    total = *next;
  }
  return Known{in[0]->dtype, {}, {total}, {}};
}

const std::map<std::string_view, Result (*)(const Node&, const Operands&)> kRules{
    {"reshape", reshape},
    {"broadcast_in_dim", broadcast},
    {"transpose", transpose},
    {"slice", slice},
    {"concat", concat},
    {"gather", gather},
    {"iota", iota},
    {"convert", convert},
    {"compare", compare},
    {"select", select},
    {"logical_not", logical_not},
    {"reduce", reduce},
};

}  // namespace

std::optional<Known> known_tensor(const Tensor& tensor) {
  if (tensor.elements() > kLimit) return {};
  Known known{tensor.dtype(), tensor.shape(), {}, {}};
  if (is_float(tensor.dtype())) {
    known.reals = to_doubles(tensor);
  } else {
    for (const int64_t value : to_int64s(tensor)) known.ints.emplace_back(value);
  }
  return known;
}

void KnownValues::bind(Value input, const Tensor& tensor) {
  find(input);
  values_[static_cast<size_t>(input.node)] = known_tensor(tensor);
}

const Known* KnownValues::at(Value value) const {
  if (!value || value.index != 0) return nullptr;
  const auto& known = values_[static_cast<size_t>(value.node)];
  return known ? &*known : nullptr;
}

std::optional<Known> KnownValues::evaluate(const Node& node) const {
  if (node.outputs.size() != 1 || !small(node.outputs[0].shape)) return {};
  const std::string_view name = node.op->name;
  if (node.op == &constant_op) return known_tensor(node.attributes.get<Tensor>("value"));
  if (name == "dimension_size") {
    const Shape& shape = graph_.type(node.inputs[0]).shape;
    return Known{
        node.outputs[0].dtype, {}, {shape[static_cast<int>(node.attributes.get<int64_t>("axis"))]}, {}};
  }
  Operands in;
  for (const Value input : node.inputs) {
    in.push_back(at(input));
    if (!in.back()) return {};
  }
  if (const auto rule = kRules.find(name); rule != kRules.end()) return rule->second(node, in);
  if (const auto rule = kBinary.find(name); rule != kBinary.end()) return binary(rule->second, in);
  if (kUnary.contains(name)) return unary(name, in);
  return {};
}

const Known* KnownValues::find(Value value) {
  while (values_.size() < static_cast<size_t>(graph_.size()))
    values_.push_back(evaluate(graph_.nodes()[values_.size()]));
  return at(value);
}

}  // namespace temper::onnx
