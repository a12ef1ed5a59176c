// Folds along an axis or over windows, and sorting.
#include "codegen/node_text.h"
#include "codegen/tape_names.h"
#include "codegen/tape_text.h"
#include "ir/op.h"

namespace temper {

namespace {

DType folding(DType dtype) { return dtype == DType::f16 || dtype == DType::bf16 ? DType::f32 : dtype; }

std::vector<KernelStep> reduce_window(const Graph& graph, const Node& node) {
  const Type &x = graph.type(node.inputs[0]), &y = node.outputs[0];
  const Attributes& a = node.attributes;
  const Ints &window = a.get<Ints>("window"), &strides = a.get<Ints>("strides"), &low = a.get<Ints>("low"),
             &dilations = a.get<Ints>("dilations");
  const Ints from = x.shape.sizes(), sizes = y.shape.sizes();
  const ReduceKind kind = reduce_kind(a.get<std::string>("kind"));
  KernelWriter w("window", {x.dtype}, {y.dtype}, largest_of(graph, node));
  w.item(literal(product_of(sizes)));
  const std::vector<std::string> at = w.coordinates("i", sizes, "c");
  w.line(computed_text(y.dtype), " s = ", neutral_text(kind, folding(y.dtype)), ";");
  std::vector<std::string> places = at;
  size_t opened = 0;
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    const bool bounded =
        low[axis] > 0 ||
        (sizes[axis] - 1) * strides[axis] + (window[axis] - 1) * dilations[axis] - low[axis] >= from[axis];
    if (window[axis] == 1 && strides[axis] == 1 && !bounded) continue;
    places[axis] = concat("p", axis);
    w.open("for (", w.index(), " w", axis, " = 0; w", axis, " < ", literal(window[axis]), "; ++w", axis, ")");
    w.line("const ", w.index(), " p", axis, " = ", at[axis], " * ", literal(strides[axis]), " - ",
           literal(low[axis]), " + w", axis, " * ", literal(dilations[axis]), ";");
    ++opened;
    if (!bounded) continue;
    w.open("if (p", axis, " >= 0 && p", axis, " < ", literal(from[axis]), ")");
    ++opened;
  }
  w.line("s = ", fold_text(kind, folding(y.dtype), "s", w.load(0, linear_text(places, dense_strides(from)))),
         ";");
  for (size_t i = 0; i < opened; ++i) w.close();
  w.store(0, "i", "s");
  return whole_step(node, w.finish(groups_of(product_of(sizes)), kLanes));
}

// Items along the axes but one; `line` of what is read begins at `base` and goes on by `step`.
struct Lines {
  int64_t count, length, step;
};
Lines lines_of(const Shape& shape, int64_t axis) {
  const Ints sizes = shape.sizes();
  const int64_t step = dense_strides(sizes)[static_cast<size_t>(axis)],
                length = sizes[static_cast<size_t>(axis)];
  return {length == 0 ? 0 : shape.elements() / length, length, step};
}

// NaN beats all; of equals the first stands, or the last.
std::vector<KernelStep> arg_reduce(const Graph& graph, const Node& node) {
  const Type &x = graph.type(node.inputs[0]), &y = node.outputs[0];
  const Attributes& a = node.attributes;
  const Lines lines = lines_of(x.shape, a.get<int64_t>("axis"));
  const std::string_view sign = a.get<std::string>("kind") == "max" ? " > " : " < ";
  const bool last = a.get<bool>("last"), real = is_float(x.dtype);
  KernelWriter w("arg_reduce", {x.dtype}, {y.dtype}, largest_of(graph, node));
  w.item(literal(y.shape.elements()));
  w.line("const ", w.index(), " base = i / ", literal(lines.step), " * ", literal(lines.step * lines.length),
         " + i % ", literal(lines.step), ";");
  w.line(w.index(), " found = 0;");
  w.line(computed_text(x.dtype), " best = ", w.load(0, "base"), ";");
  w.open("for (", w.index(), " j = 1; j < ", literal(lines.length), "; ++j)");
  w.line("const ", computed_text(x.dtype), " v = ", w.load(0, concat("base + j * ", literal(lines.step))),
         ";");
  const std::string equal = !last ? "0" : real ? "(v == best || (isnan(v) && isnan(best)))" : "v == best";
  const std::string beats = concat("v", sign, "best");
  w.open("if (", real ? concat("(isnan(v) && !isnan(best)) || (", beats, ")") : beats, " || ", equal, ")");
  w.line("found = j;");
  w.line("best = v;");
  w.close();
  w.close();
  w.store(0, "i", concat("(", stored_text(y.dtype), ")found"));
  return whole_step(node, w.finish(groups_of(y.shape.elements()), kLanes));
}

// Each element counts those of its line that come before it, and goes there: stable, and no two items meet.
std::vector<KernelStep> sort(const Graph& graph, const Node& node) {
  const Type& key = node.outputs[0];
  const Lines lines = lines_of(key.shape, node.attributes.get<int64_t>("axis"));
  const std::string_view sign = node.attributes.get<bool>("descending") ? " > " : " < ";
  std::vector<DType> dtypes{key.dtype};
  for (size_t k = 1; k < node.inputs.size(); ++k) dtypes.push_back(raw_dtype(node.outputs[k].dtype));
  KernelWriter w("sort", dtypes, dtypes, largest_of(graph, node));
  const int64_t count = key.shape.elements();
  w.item(literal(count));
  w.line("const ", w.index(), " own = i / ", literal(lines.step), " % ",
         literal(std::max<int64_t>(lines.length, 1)), ", base = i - own * ", literal(lines.step), ";");
  w.line("const ", computed_text(key.dtype), " v = ", w.load(0, "i"), ";");
  w.line(w.index(), " rank = 0;");
  w.open("for (", w.index(), " j = 0; j < ", literal(lines.length), "; ++j)");
  w.line("const ", computed_text(key.dtype), " u = ", w.load(0, concat("base + j * ", literal(lines.step))),
         ";");
  if (is_float(key.dtype)) {
    w.line("const int before = isnan(v) ? !isnan(u) : u", sign, "v, equal = isnan(v) ? isnan(u) : u == v;");
  } else {
    w.line("const int before = u", sign, "v, equal = u == v;");
  }
  w.line("rank += before || (equal && j < own) ? 1 : 0;");
  w.close();
  for (size_t k = 0; k < dtypes.size(); ++k)
    w.line("y", k, "[base + rank * ", literal(lines.step), "] = x", k, "[i];");
  return whole_step(node, w.finish(groups_of(count), kLanes));
}

constexpr NodePrinter kPrinters[] = {
    {"reduce_window", reduce_window}, {"arg_reduce", arg_reduce}, {"sort", sort}};

}  // namespace

std::span<const NodePrinter> window_kernels() { return kPrinters; }

}  // namespace temper
