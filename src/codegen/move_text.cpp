// Moves: where each element of the result comes from. Elements are moved as bits.
#include <algorithm>

#include "codegen/node_text.h"
#include "ir/op.h"

namespace temper {

namespace {

// y[i] = x[base + sum of coordinate * stride]
std::vector<KernelStep> strided(const Graph& graph, const Node& node, const Ints& strides, int64_t base) {
  const DType raw = raw_dtype(node.outputs[0].dtype);
  const Ints sizes = node.outputs[0].shape.sizes();
  const int64_t count = product_of(sizes);
  KernelWriter w("move", {raw}, {raw}, largest_of(graph, node));
  w.item(literal(count));
  const std::vector<std::string> at = w.coordinates("i", sizes, "c");
  w.store(0, "i", w.load(0, linear_text(at, strides, base)));
  return whole_step(node, w.finish(groups_of(count), kLanes));
}

Ints strides_of(const Graph& graph, const Node& node) {
  return dense_strides(graph.type(node.inputs[0]).shape.sizes());
}

std::vector<KernelStep> transpose(const Graph& graph, const Node& node) {
  const Ints from = strides_of(graph, node);
  Ints strides;
  for (const int64_t axis : node.attributes.get<Ints>("permutation"))
    strides.push_back(from[static_cast<size_t>(axis)]);
  return strided(graph, node, strides, 0);
}

std::vector<KernelStep> slice(const Graph& graph, const Node& node) {
  const Ints from = strides_of(graph, node), &starts = node.attributes.get<Ints>("starts"),
             &steps = node.attributes.get<Ints>("strides");
  Ints strides;
  int64_t base = 0;
  for (size_t i = 0; i < from.size(); ++i) {
    strides.push_back(from[i] * steps[i]);
    base += from[i] * starts[i];
  }
  return strided(graph, node, strides, base);
}

std::vector<KernelStep> reverse(const Graph& graph, const Node& node) {
  Ints strides = strides_of(graph, node);
  int64_t base = 0;
  for (const int64_t axis : node.attributes.get<Ints>("axes")) {
    int64_t& stride = strides[static_cast<size_t>(axis)];
    base += (node.outputs[0].shape.size(static_cast<int>(axis)) - 1) * stride;
    stride = -stride;
  }
  return strided(graph, node, strides, base);
}

std::vector<KernelStep> pad(const Graph& graph, const Node& node) {
  const DType raw = raw_dtype(node.outputs[0].dtype);
  const Ints sizes = node.outputs[0].shape.sizes(), from = graph.type(node.inputs[0]).shape.sizes(),
             strides = dense_strides(from);
  const Ints &low = node.attributes.get<Ints>("low"), &interior = node.attributes.get<Ints>("interior");
  const int64_t count = product_of(sizes);
  KernelWriter w("pad", {raw, raw}, {raw}, largest_of(graph, node));
  w.item(literal(count));
  std::vector<std::string> at = w.coordinates("i", sizes, "c");
  std::string inside = "1";
  for (size_t i = 0; i < at.size(); ++i) {
    const int64_t step = interior[i] + 1;
    if (low[i] == 0 && step == 1 && sizes[i] <= from[i]) continue;
    const std::string place = concat("p", i);
    w.line("const ", w.index(), " ", place, " = ", at[i], " - ", literal(low[i]), ";");
    inside += concat(" && ", place, " >= 0 && ", place, " < ", literal((from[i] - 1) * step + 1));
    if (step != 1) inside += concat(" && ", place, " % ", literal(step), " == 0");
    at[i] = step == 1 ? place : concat("(", place, " / ", literal(step), ")");
  }
  w.store(0, "i", concat("(", inside, ") ? ", w.load(0, linear_text(at, strides)), " : ", w.load(1, "0")));
  return whole_step(node, w.finish(groups_of(count), kLanes));
}

// One kernel a part: each item moves an element of the part to its place.
std::vector<KernelStep> concatenate(const Graph& graph, const Node& node) {
  const DType raw = raw_dtype(node.outputs[0].dtype);
  const auto axis = static_cast<size_t>(node.attributes.get<int64_t>("axis"));
  const Ints strides = dense_strides(node.outputs[0].shape.sizes());
  std::vector<KernelStep> steps;
  int64_t before = 0;
  for (size_t part = 0; part < node.inputs.size(); ++part) {
    const Ints sizes = graph.type(node.inputs[part]).shape.sizes();
    const int64_t count = product_of(sizes);
    KernelWriter w("concat", {raw}, {raw}, largest_of(graph, node));
    w.item(literal(count));
    const std::vector<std::string> at = w.coordinates("i", sizes, "c");
    w.store(0, linear_text(at, strides, before * strides[axis]), w.load(0, "i"));
    steps.push_back({w.finish(groups_of(count), kLanes),
                     {static_cast<int>(part), static_cast<int>(node.inputs.size())},
                     1});
    before += sizes[axis];
  }
  return steps;
}

constexpr NodePrinter kPrinters[] = {
    {"transpose", transpose}, {"slice", slice}, {"reverse", reverse}, {"pad", pad}, {"concat", concatenate}};

}  // namespace

std::span<const NodePrinter> move_kernels() { return kPrinters; }

}  // namespace temper
