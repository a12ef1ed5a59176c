// Matrix products: Gemm and MatMul where they fit, else Einsum.
#include <algorithm>
#include <array>

#include "formats/onnx/emitter.h"
#include "ops/primitives.h"

namespace temper::onnx {

namespace {

struct Dot {
  Value x, y;
  int x_rank, y_rank;
  ops::DotDims dims;
};

Dot dot_of(const Emitter& e, const Node& node) {
  const Attributes& a = node.attributes;
  return {
      node.inputs[0],
      node.inputs[1],
      e.shape(node.inputs[0]).rank(),
      e.shape(node.inputs[1]).rank(),
      {a.get<Ints>("x_batch"), a.get<Ints>("y_batch"), a.get<Ints>("x_contract"), a.get<Ints>("y_contract")}};
}

bool is_matrix_product(const Dot& dot) {
  return dot.x_rank == 2 && dot.y_rank == 2 && dot.dims.x_batch.empty() && dot.dims.x_contract.size() == 1;
}

bool leading(const Ints& axes, size_t count) {
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i] != static_cast<int64_t>(i)) return false;
  return axes.size() == count;
}

// [batch..., m, k] times [batch..., k, n], or [..., k] times [k, n]
bool is_matmul(const Dot& dot, int64_t y_axis_from_end) {
  const Ints &bx = dot.dims.x_batch, &by = dot.dims.y_batch;
  if (dot.dims.x_contract.size() != 1 || dot.dims.x_contract[0] != dot.x_rank - 1 || dot.x_rank < 2 ||
      dot.y_rank < 2)
    return false;
  if (dot.dims.y_contract[0] != dot.y_rank - y_axis_from_end) return false;
  if (bx.empty() && by.empty()) return dot.y_rank == 2;
  return leading(bx, static_cast<size_t>(dot.x_rank) - 2) &&
         leading(by, static_cast<size_t>(dot.y_rank) - 2) && dot.x_rank == dot.y_rank;
}

Ints last_two_swapped(int rank) {
  Ints axes;
  for (int i = 0; i < rank; ++i) axes.push_back(i);
  std::swap(axes[static_cast<size_t>(rank) - 1], axes[static_cast<size_t>(rank) - 2]);
  return axes;
}

// A letter per axis; those that are contracted or batched share theirs.
void einsum(Emitter& e, const Dot& dot, Value value) {
  if (dot.x_rank + dot.y_rank > 26) e.unsupported("a contraction of more than 26 axes");
  std::string x(static_cast<size_t>(dot.x_rank), ' '), y(static_cast<size_t>(dot.y_rank), ' '), out;
  char next = 'a';
  for (char& label : x) label = next++;
  const auto share = [&](const Ints& from, const Ints& to) {
    for (size_t i = 0; i < from.size(); ++i) y[static_cast<size_t>(to[i])] = x[static_cast<size_t>(from[i])];
  };
  share(dot.dims.x_batch, dot.dims.y_batch);
  share(dot.dims.x_contract, dot.dims.y_contract);
  for (const int64_t axis : dot.dims.x_batch) out += x[static_cast<size_t>(axis)];
  const auto in = [](const Ints& axes, size_t axis) {
    return std::find(axes.begin(), axes.end(), static_cast<int64_t>(axis)) != axes.end();
  };
  for (size_t i = 0; i < x.size(); ++i)
    if (!in(dot.dims.x_batch, i) && !in(dot.dims.x_contract, i)) out += x[i];
  for (char& label : y) {
    if (label != ' ') continue;
    label = next++;
    out += label;
  }
  e.result(value, "Einsum", {e.use(dot.x), e.use(dot.y)}, {attribute("equation", x + "," + y + "->" + out)});
}

AttributeDefs gemm_attributes(const Dot& dot) {
  AttributeDefs attributes;
  if (dot.dims.x_contract[0] == 0) attributes.push_back(attribute("transA", int64_t{1}));
  if (dot.dims.y_contract[0] == 1) attributes.push_back(attribute("transB", int64_t{1}));
  return attributes;
}

void dot_general(Emitter& e, const Node& node, Value value) {
  const Dot dot = dot_of(e, node);
  if (is_matmul(dot, 2)) return e.result(value, "MatMul", {e.use(dot.x), e.use(dot.y)});
  if (is_matrix_product(dot) && is_float(e.dtype(value)))
    return e.result(value, "Gemm", {e.use(dot.x), e.use(dot.y)}, gemm_attributes(dot));
  if (is_matmul(dot, 1)) {
    const std::string turned =
        e.add("Transpose", {e.use(dot.y)}, {attribute("perm", last_two_swapped(dot.y_rank))});
    return e.result(value, "MatMul", {e.use(dot.x), turned});
  }
  einsum(e, dot, value);
}

// x y + bias, the bias a vector or a matrix that broadcasts
void add(Emitter& e, const Node& node, Value value) {
  for (size_t i = 0; i < 2; ++i) {
    const Node* product = e.made_by(node.inputs[i], "dot_general");
    const Node* spread = e.made_by(node.inputs[1 - i], "broadcast_in_dim");
    if (!product || !spread || !e.used_once(node.inputs[i]) || !is_float(e.dtype(value))) continue;
    const Dot dot = dot_of(e, *product);
    const Shape& bias = e.shape(spread->inputs[0]);
    const Ints& axes = spread->attributes.get<Ints>("axes");
    const bool aligned = (bias.rank() == 1 && axes == Ints{1}) || (bias.rank() == 2 && axes == Ints{0, 1});
    if (!is_matrix_product(dot) || !aligned) continue;
    return e.result(value, "Gemm", {e.use(dot.x), e.use(dot.y), e.use(spread->inputs[0])},
                    gemm_attributes(dot));
  }
  e.elementwise(value, "Add", node.inputs);
}

constexpr std::array kRows{WriteRow{"dot_general", dot_general}, WriteRow{"add", add}};

}  // namespace

std::span<const WriteRow> contraction_write_rows() { return kRows; }

}  // namespace temper::onnx
