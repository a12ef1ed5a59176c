#include "devices/cpu/integers.h"

#include <algorithm>

#include "devices/cpu/convolution.h"
#include "devices/cpu/kernels/integer_product.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

bool is_byte(DType dtype) { return dtype == DType::u8 || dtype == DType::i8; }

const Tensor* constant(const Graph& graph, Value value) {
  const Node& node = graph.node(value);
  return node.op == &constant_op ? &node.attributes.get<Tensor>("value") : nullptr;
}

// The numbers of a zero point, one 0 if there is none; empty if they are not known.
std::vector<int64_t> zeros_of(const Graph& graph, const Node& node) {
  if (node.inputs.size() < 3 || !node.inputs[2]) return {0};
  const Tensor* zero = constant(graph, node.inputs[2]);
  return zero ? to_int64s(*zero) : std::vector<int64_t>();
}

// Constant i8 around 0 or u8 around 128, scaled by `axis` or as a whole.
bool are_integer_weights(const Graph& graph, Value weights, int64_t axis) {
  const Node& node = graph.node(weights);
  if (node.op->name != "dequantize") return false;
  const Tensor *values = constant(graph, node.inputs[0]), *scales = constant(graph, node.inputs[1]);
  if (!values || !scales || !is_byte(values->dtype()) || scales->dtype() != DType::f32) return false;
  const int rank = scales->shape().rank();
  if (rank > 1 || (rank == 1 && node.attributes.get<int64_t>("axis") != axis)) return false;
  const int64_t middle = values->dtype() == DType::u8 ? 128 : 0;
  const std::vector<int64_t> zeros = zeros_of(graph, node);
  return !zeros.empty() && std::ranges::all_of(zeros, [&](int64_t zero) { return zero == middle; });
}

bool is_integer_convolution(const Graph& graph, const Node& node) {
  const Value bias = node.inputs.size() > 2 ? node.inputs[2] : Value{};
  const Shape& w = graph.type(node.inputs[1]).shape;
  return convolution_of(graph, node) && w.elements() / w.size(0) <= kMostDepth &&
         are_integer_weights(graph, node.inputs[1], 0) && (!bias || constant_floats(graph, bias));
}

// [..., k] times a matrix
bool is_integer_product(const Graph& graph, const Node& node) {
  const Shape &x = graph.type(node.inputs[0]).shape, &w = graph.type(node.inputs[1]).shape;
  const Attributes& a = node.attributes;
  if (w.rank() != 2 || x.rank() < 1 || x.elements() == 0 || w.elements() == 0) return false;
  if (x.size(x.rank() - 1) > kMostDepth) return false;
  if (!a.get<Ints>("x_batch").empty() || a.get<Ints>("x_contract") != Ints{x.rank() - 1}) return false;
  return are_integer_weights(graph, node.inputs[1], 1 - a.get<Ints>("y_contract")[0]);
}

}  // namespace

std::optional<Scaling> scaling_of(const Graph& graph, const Node& node) {
  const bool quantizes = node.op->name == "quantize";
  if (!quantizes && node.op->name != "dequantize") return std::nullopt;
  const DType dtype = quantizes ? node.outputs[0].dtype : graph.type(node.inputs[0]).dtype;
  const Tensor* scale = constant(graph, node.inputs[1]);
  const std::vector<int64_t> zeros = zeros_of(graph, node);
  if (!is_byte(dtype) || !scale || scale->dtype() != DType::f32 || scale->shape().rank() != 0 ||
      zeros.size() != 1)
    return std::nullopt;
  if (quantizes && node.attributes.get<std::string>("rounding") != "half_even") return std::nullopt;
  const float number = scale->values<float>()[0];
  if (!(number > 0)) return std::nullopt;
  return Scaling{dtype, number, static_cast<int32_t>(zeros[0])};
}

std::optional<Quantised> quantised(const Graph& graph, Value value) {
  const Node& node = graph.node(value);
  if (node.op->name != "dequantize") return std::nullopt;
  const std::optional<Scaling> scaling = scaling_of(graph, node);
  return scaling ? std::optional(Quantised{node.inputs[0], *scaling}) : std::nullopt;
}

std::optional<std::vector<float>> constant_floats(const Graph& graph, Value value) {
  const Node& node = graph.node(value);
  if (const Tensor* tensor = constant(graph, value)) {
    if (tensor->dtype() != DType::f32) return std::nullopt;
    const auto values = tensor->values<float>();
    return std::vector<float>(values.begin(), values.end());
  }
  if (node.op->name != "dequantize" || node.outputs[0].shape.rank() > 1) return std::nullopt;
  const Tensor *integers = constant(graph, node.inputs[0]), *scales = constant(graph, node.inputs[1]);
  const std::vector<int64_t> zeros = zeros_of(graph, node);
  if (!integers || !scales || scales->dtype() != DType::f32 || zeros.empty()) return std::nullopt;
  std::vector<float> floats;
  for (const int64_t integer : to_int64s(*integers)) {
    const size_t i = floats.size();
    const auto scale = static_cast<double>(scales->values<float>()[scales->elements() == 1 ? 0 : i]);
    floats.push_back(
        static_cast<float>(static_cast<double>(integer - zeros[zeros.size() == 1 ? 0 : i]) * scale));
  }
  return floats;
}

bool runs_on_integers(const Graph& graph, const Node& node) {
  const bool is_convolution = node.op->name == "conv2d";
  if (!is_convolution && node.op->name != "dot_general") return false;
  if (!node.outputs[0].shape.is_static() || !quantised(graph, node.inputs[0])) return false;
  return is_convolution ? is_integer_convolution(graph, node) : is_integer_product(graph, node);
}

}  // namespace temper::cpu
