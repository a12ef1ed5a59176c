#include <algorithm>
#include <bit>
#include <map>
#include <optional>

#include "codegen/tape.h"
#include "codegen/tape_names.h"
#include "ir/op.h"

namespace temper {

namespace {

using Axes = std::vector<int>;  // for each axis of the space, an axis of the value at hand, or -1

Axes identity(int rank) {
  Axes axes(static_cast<size_t>(rank));
  for (int i = 0; i < rank; ++i) axes[static_cast<size_t>(i)] = i;
  return axes;
}

// For each axis of `to`, the axis of `from` of the same size in the same order, units left out: -1 for units.
// None if the shapes differ in more than units.
std::optional<Axes> unit_axes(const Shape& from, const Shape& to) {
  Axes axes(static_cast<size_t>(to.rank()), -1);
  int next = 0;
  const auto skip_units = [&] {
    while (next < from.rank() && from.size(next) == 1) ++next;
  };
  for (int axis = 0; axis < to.rank(); ++axis) {
    if (to.size(axis) == 1) continue;
    skip_units();
    if (next == from.rank() || from.size(next) != to.size(axis)) return std::nullopt;
    axes[static_cast<size_t>(axis)] = next++;
  }
  skip_units();
  if (next != from.rank()) return std::nullopt;
  return axes;
}

// Follows `outer` (into a broadcast's result) down to its operand.
Axes through_broadcast(const Axes& outer, const Ints& axes, const Shape& operand) {
  Axes inner(outer.size(), -1);
  for (size_t i = 0; i < outer.size(); ++i)
    for (size_t j = 0; j < axes.size(); ++j)
      if (outer[i] == axes[j] && operand.size(static_cast<int>(j)) != 1) inner[i] = static_cast<int>(j);
  return inner;
}

Axes through_axes(const Axes& outer, const Axes& step) {
  Axes inner(outer.size(), -1);
  for (size_t i = 0; i < outer.size(); ++i)
    if (outer[i] >= 0) inner[i] = step[static_cast<size_t>(outer[i])];
  return inner;
}

class Lowering {
 public:
  Lowering(const Graph& graph, const Cluster& cluster, std::span<const Value> inputs,
           std::span<const Value> outputs)
      : graph_(graph), cluster_(cluster), inputs_(inputs), outputs_(outputs) {
    for (int index : cluster.nodes)
      for (Value operand : graph.nodes()[static_cast<size_t>(index)].inputs) ++uses_[operand];
    for (Value output : outputs) uses_[output] += 2;  // an output is never swallowed by a peephole
  }

  Tape run() {
    find_space();
    for (Value output : outputs_) {
      const Node& node = graph_.node(output);
      TapeResult result{.dtype = graph_.type(output).dtype};
      if (node.op->name == "reduce") {
        result.reduced = true;
        result.kind = reduce_kind(node.attributes.get<std::string>("kind"));
        result.value = value(node.inputs[0], identity(space_.rank()));
      } else {
        result.value = value(output, identity(space_.rank()));
      }
      tape_.results.push_back(result);
    }
    number();
    return std::move(tape_);
  }

 private:
  bool inside(Value v) const {
    return std::binary_search(cluster_.nodes.begin(), cluster_.nodes.end(), v.node);
  }

  void find_space() {
    space_ = graph_.type(outputs_[0]).shape;
    for (Value output : outputs_) {
      const Node& node = graph_.node(output);
      if (node.op->name != "reduce") continue;
      space_ = graph_.type(node.inputs[0]).shape;
      tape_.reduced.assign(static_cast<size_t>(space_.rank()), false);
      for (int64_t axis : node.attributes.get<Ints>("axes")) tape_.reduced[static_cast<size_t>(axis)] = true;
    }
    tape_.space = space_.sizes();
  }

  // Sources count from 0, instructions from kFirst, until number() knows how many sources there are.
  static constexpr int kFirst = 1 << 20;

  int source(TapeSource source) {
    tape_.sources.push_back(std::move(source));
    return static_cast<int>(tape_.sources.size()) - 1;
  }

  int scalar(DType dtype, double real) {
    TapeSource s{.kind = TapeSource::scalar, .dtype = dtype, .real = real};
    if (!is_float(dtype)) s.integer = static_cast<int64_t>(real);
    for (size_t i = 0; i < tape_.sources.size(); ++i) {
      const TapeSource& t = tape_.sources[i];
      if (t.kind == TapeSource::scalar && t.dtype == dtype && t.integer == s.integer &&
          std::bit_cast<int64_t>(t.real) == std::bit_cast<int64_t>(s.real))
        return static_cast<int>(i);
    }
    return source(std::move(s));
  }

  int constant(const Tensor& tensor) {
    if (is_float(tensor.dtype())) return scalar(tensor.dtype(), to_doubles(tensor)[0]);
    return source({.kind = TapeSource::scalar, .dtype = tensor.dtype(), .integer = to_int64s(tensor)[0]});
  }

  int emit(TapeOp op, DType type, DType result, int a, int b = -1, int c = -1) {
    tape_.code.push_back({op, type, result, {a, b, c}});
    return kFirst + static_cast<int>(tape_.code.size()) - 1;
  }

  // The number of `v` seen through `axes`.
  int value(Value v, const Axes& axes) {
    const auto key = std::pair(v, axes);
    if (auto found = known_.find(key); found != known_.end()) return found->second;
    const int result = make(v, axes);
    known_.emplace(key, result);
    return result;
  }

  int make(Value v, const Axes& axes) {
    const Node& node = graph_.node(v);
    const std::string_view name = node.op->name;
    if (name == "constant" && graph_.type(v).shape.elements() == 1)
      return constant(node.attributes.get<Tensor>("value"));
    if (!inside(v)) return external(v, axes);
    if (name == "iota") {
      TapeSource s{.kind = TapeSource::iota, .dtype = graph_.type(v).dtype, .axes = axes};
      const int64_t along = node.attributes.get<int64_t>("axis");
      for (int& axis : s.axes) axis = axis >= 0 && axis == along ? 0 : -1;
      return source(std::move(s));
    }
    if (name == "broadcast_in_dim")
      return value(node.inputs[0], through_broadcast(axes, node.attributes.get<Ints>("axes"),
                                                     graph_.type(node.inputs[0]).shape));
    if (name == "reshape") {
      const auto step = unit_axes(graph_.type(node.inputs[0]).shape, graph_.type(v).shape);
      TEMPER_CHECK(step, graph_.describe(v.node));
      return value(node.inputs[0], through_axes(axes, *step));
    }
    if (name == "dequantize") return dequantize(node, axes);
    return map(v, axes);
  }

  int external(Value v, const Axes& axes) {
    const auto found = std::find(inputs_.begin(), inputs_.end(), v);
    TEMPER_CHECK(found != inputs_.end(), graph_.describe(v.node));
    TapeSource s{
        .dtype = graph_.type(v).dtype, .input = static_cast<int>(found - inputs_.begin()), .axes = axes};
    const Shape& shape = graph_.type(v).shape;
    for (int& axis : s.axes)
      if (axis >= 0 && shape.size(axis) == 1) axis = -1;
    return source(std::move(s));
  }

  int map(Value v, const Axes& axes) {
    const Node& node = graph_.node(v);
    const std::string_view name = node.op->name;
    const DType type = graph_.type(node.inputs[name == "select" ? 1 : 0]).dtype;
    const DType result = graph_.type(v).dtype;
    if (name == "dropout_infer" || name == "barrier") return value(node.inputs[0], axes);
    if (name == "quantize") return quantize(node, axes);
    if (name == "gelu")
      return gelu(value(node.inputs[0], axes), type, node.attributes.get<bool>("approximate"));
    if (name == "gelu_grad")
      return emit(TapeOp::mul, type, type, value(node.inputs[1], axes),
                  emit(TapeOp::gelu_slope, type, type, value(node.inputs[0], axes)));
    if (const int fused = multiply_add(node, type, axes); fused >= 0) return fused;
    if (const int power = simple_power(node, type, axes); power >= 0) return power;
    std::array<int, 3> operands{-1, -1, -1};
    for (size_t i = 0; i < node.inputs.size(); ++i) operands[i] = value(node.inputs[i], axes);
    TapeOp op;
    if (name == "compare")
      op = *tape_op(node.attributes.get<std::string>("direction"));
    else
      op = *tape_op(name);
    return emit(op, type, result, operands[0], operands[1], operands[2]);
  }

  // The product of `v` if nothing else reads it.
  const Node* lone_product(Value v) const {
    const Node& node = graph_.node(v);
    const auto uses = uses_.find(v);
    return inside(v) && node.op->name == "mul" && uses != uses_.end() && uses->second == 1 ? &node : nullptr;
  }

  int multiply_add(const Node& node, DType type, const Axes& axes) {
    if (type != DType::f32 && type != DType::f16 && type != DType::bf16) return -1;
    const bool add = node.op->name == "add";
    if (!add && node.op->name != "sub") return -1;
    for (size_t i : {size_t{1}, size_t{0}}) {
      if (!add && i == 0) return -1;
      const Node* product = lone_product(node.inputs[i]);
      if (!product) continue;
      const int a = value(product->inputs[0], axes), b = value(product->inputs[1], axes);
      const int c = value(node.inputs[1 - i], axes);
      return emit(add ? TapeOp::mul_add : TapeOp::neg_mul_add, type, type, a, b, c);
    }
    return -1;
  }

  // x^2 and x^1, which a general power is slow for.
  int simple_power(const Node& node, DType type, const Axes& axes) {
    if (node.op->name != "pow" || !is_float(type)) return -1;
    const int exponent = value(node.inputs[1], axes);
    if (exponent >= kFirst || tape_.sources[static_cast<size_t>(exponent)].kind != TapeSource::scalar)
      return -1;
    const double power = tape_.sources[static_cast<size_t>(exponent)].real;
    if (power != 1 && power != 2) return -1;
    const int x = value(node.inputs[0], axes);
    return power == 1 ? x : emit(TapeOp::mul, type, type, x, x);
  }

  // A scale or zero point as f32: one number, a vector along an axis, or one for each element.
  int quantisation(const Node& node, size_t input, const Axes& axes) {
    const Value v = node.inputs[input];
    const Type& type = graph_.type(v);
    if (type.shape.elements() == 1 && graph_.node(v).op == &constant_op) {
      const Tensor& tensor = graph_.node(v).attributes.get<Tensor>("value");
      return scalar(DType::f32, to_doubles(tensor)[0]);
    }
    Axes own = axes;
    if (type.shape != graph_.type(node.inputs[0]).shape)
      for (int& axis : own)
        axis = type.shape.rank() == 1 && axis == node.attributes.get<int64_t>("axis") ? 0 : -1;
    const int parameter = value(v, own);
    return type.dtype == DType::f32 ? parameter : emit(TapeOp::convert, type.dtype, DType::f32, parameter);
  }

  int quantize(const Node& node, const Axes& axes) {
    const DType f32 = DType::f32;
    int y = emit(TapeOp::div, f32, f32, value(node.inputs[0], axes), quantisation(node, 1, axes));
    y = emit(TapeOp::round, f32, f32, y);
    if (has_zero(node)) y = emit(TapeOp::add, f32, f32, y, quantisation(node, 2, axes));
    return emit(TapeOp::convert, f32, node.outputs[0].dtype, y);
  }

  int dequantize(const Node& node, const Axes& axes) {
    const DType f32 = DType::f32, from = graph_.type(node.inputs[0]).dtype;
    int x = emit(TapeOp::convert, from, f32, value(node.inputs[0], axes));
    if (has_zero(node)) x = emit(TapeOp::sub, f32, f32, x, quantisation(node, 2, axes));
    return emit(TapeOp::mul, f32, f32, x, quantisation(node, 1, axes));
  }

  bool has_zero(const Node& node) const {
    if (node.inputs.size() < 3 || !node.inputs[2]) return false;
    const Node& zero = graph_.node(node.inputs[2]);
    if (zero.op != &constant_op || zero.outputs[0].shape.elements() != 1) return true;
    return to_int64s(zero.attributes.get<Tensor>("value"))[0] != 0;
  }

  int gelu(int x, DType type, bool approximate) {
    if (!approximate) return emit(TapeOp::gelu, type, type, x);
    // tanh(sqrt(2 / pi) (x + 0.044715 x^3))
    const int square = emit(TapeOp::mul, type, type, x, x);
    const int cube = emit(TapeOp::mul, type, type, square, x);
    const int sum =
        emit(TapeOp::add, type, type, x, emit(TapeOp::mul, type, type, cube, scalar(type, 0.044715)));
    const int inner = emit(TapeOp::tanh, type, type,
                           emit(TapeOp::mul, type, type, sum, scalar(type, 0.79788456080286535588)));
    const int half = emit(TapeOp::mul, type, type, x, scalar(type, 0.5));
    return emit(TapeOp::mul, type, type, half, emit(TapeOp::add, type, type, inner, scalar(type, 1)));
  }

  // Drops sources that a peephole left unread, and gives every value its final number.
  void number() {
    std::vector<int> renamed(tape_.sources.size(), -1);
    const auto mark = [&](int v) {
      if (v >= 0 && v < kFirst) renamed[static_cast<size_t>(v)] = 0;
    };
    for (const TapeInstruction& i : tape_.code) std::for_each(i.operands.begin(), i.operands.end(), mark);
    for (const TapeResult& r : tape_.results) mark(r.value);
    std::vector<TapeSource> kept;
    for (size_t i = 0; i < renamed.size(); ++i) {
      if (renamed[i] < 0) continue;
      renamed[i] = static_cast<int>(kept.size());
      kept.push_back(std::move(tape_.sources[i]));
    }
    tape_.sources = std::move(kept);
    const auto rename = [&](int& v) {
      if (v >= kFirst)
        v += static_cast<int>(tape_.sources.size()) - kFirst;
      else if (v >= 0)
        v = renamed[static_cast<size_t>(v)];
    };
    for (TapeInstruction& i : tape_.code) std::for_each(i.operands.begin(), i.operands.end(), rename);
    for (TapeResult& r : tape_.results) rename(r.value);
  }

  const Graph& graph_;
  const Cluster& cluster_;
  std::span<const Value> inputs_, outputs_;
  Shape space_;
  Tape tape_;
  std::map<Value, int> uses_;
  std::map<std::pair<Value, Axes>, int> known_;
};

}  // namespace

bool is_map(const Node& node) {
  const std::string_view name = node.op->name;
  if (name == "gelu_grad") return !node.attributes.get<bool>("approximate");
  if (name == "gelu" || name == "compare" || name == "dropout_infer" || name == "quantize") return true;
  return tape_op(name).has_value();
}

bool is_view(const Graph& graph, const Node& node) {
  const std::string_view name = node.op->name;
  if (name == "broadcast_in_dim" || name == "iota" || name == "dequantize") return true;
  if (name == "constant") return node.outputs[0].shape.elements() == 1;
  return name == "reshape" && unit_axes(graph.type(node.inputs[0]).shape, node.outputs[0].shape).has_value();
}

Tape lower(const Graph& graph, const Cluster& cluster, std::span<const Value> inputs,
           std::span<const Value> outputs) {
  return Lowering(graph, cluster, inputs, outputs).run();
}

}  // namespace temper
