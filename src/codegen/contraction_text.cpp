// Contractions as they are defined: an item for each element of the result.
#include "codegen/contraction.h"
#include "codegen/node_text.h"
#include "ir/op.h"
#include "ops/conv_general.h"

namespace temper {

namespace {

using Strings = std::vector<std::string>;

std::vector<KernelStep> dot_general(const Graph& graph, const Node& node) {
  const Type &x = graph.type(node.inputs[0]), &y = graph.type(node.inputs[1]), &z = node.outputs[0];
  const DotShape dot = dot_shape(graph, node);
  KernelWriter w("dot", {x.dtype, y.dtype}, {z.dtype}, largest_of(graph, node));
  const int64_t count = z.shape.elements();
  w.item(literal(count));
  Ints sizes = dot.batch_sizes;
  sizes.insert(sizes.end(), dot.x_sizes.begin(), dot.x_sizes.end());
  sizes.insert(sizes.end(), dot.y_sizes.begin(), dot.y_sizes.end());
  const Strings at = w.coordinates("i", sizes, "c");
  Strings x_at, y_at;
  Ints x_strides = dot.x_batch, y_strides = dot.y_batch;
  const size_t batch = dot.batch_sizes.size(), rows = dot.x_sizes.size();
  x_at.assign(at.begin(), at.begin() + static_cast<int64_t>(batch + rows));
  x_strides.insert(x_strides.end(), dot.x_free.begin(), dot.x_free.end());
  y_at.assign(at.begin(), at.begin() + static_cast<int64_t>(batch));
  y_at.insert(y_at.end(), at.begin() + static_cast<int64_t>(batch + rows), at.end());
  y_strides.insert(y_strides.end(), dot.y_free.begin(), dot.y_free.end());
  const std::string_view sum = sum_text(z.dtype);
  w.line(sum, " s = 0;");
  for (size_t k = 0; k < dot.inner_sizes.size(); ++k) {
    w.open("for (", w.index(), " k", k, " = 0; k", k, " < ", literal(dot.inner_sizes[k]), "; ++k", k, ")");
    x_at.push_back(concat("k", k)), x_strides.push_back(dot.x_inner[k]);
    y_at.push_back(concat("k", k)), y_strides.push_back(dot.y_inner[k]);
  }
  w.line("s ",
         add_product_text(z.dtype, "s", concat("(", sum, ")", w.load(0, linear_text(x_at, x_strides))),
                          concat("(", sum, ")", w.load(1, linear_text(y_at, y_strides)))),
         ";");
  for (size_t k = 0; k < dot.inner_sizes.size(); ++k) w.close();
  w.store(0, "i", concat("(", computed_text(z.dtype), ")s"));
  return whole_step(node, w.finish(groups_of(count), kLanes));
}

// The place along spatial axis `d` that window element k`d` reads, where it is one of x; whether it is.
struct Reading {
  std::string place, inside;
};
Reading print_place(KernelWriter& w, const ops::ConvDims& dims, size_t d, int64_t size, int64_t window,
                    int64_t out, std::string_view at) {
  const std::string name = concat("p", d);
  w.line("const ", w.index(), " ", name, " = ", at, " * ", literal(dims.strides[d]), " - ",
         literal(dims.low[d]), " + k", d, " * ", literal(dims.w_dilation[d]), ";");
  const int64_t spread = (size - 1) * dims.x_dilation[d] + 1,
                last = (out - 1) * dims.strides[d] - dims.low[d] + (window - 1) * dims.w_dilation[d];
  std::string inside;
  if (dims.low[d] > 0) inside = concat(name, " >= 0");
  if (last >= spread) inside += concat(inside.empty() ? "" : " && ", name, " < ", literal(spread));
  if (dims.x_dilation[d] == 1) return {name, inside};
  inside += concat(inside.empty() ? "" : " && ", name, " % ", literal(dims.x_dilation[d]), " == 0");
  return {concat(name, " / ", literal(dims.x_dilation[d])), inside};
}

std::vector<KernelStep> conv_general(const Graph& graph, const Node& node) {
  const Type &x = graph.type(node.inputs[0]), &filter = graph.type(node.inputs[1]), &y = node.outputs[0];
  const ops::ConvDims dims = conv_dims(node.attributes);
  const Ints from = x.shape.sizes(), window = filter.shape.sizes(), sizes = y.shape.sizes();
  const Ints x_strides = dense_strides(from), w_strides = dense_strides(window);
  KernelWriter w("convolution", {x.dtype, filter.dtype}, {y.dtype}, largest_of(graph, node));
  const int64_t count = product_of(sizes);
  w.item(literal(count));
  const Strings at = w.coordinates("i", sizes, "c");
  const int64_t per_batch_group = sizes[1] / dims.batch_groups, per_group = sizes[1] / dims.groups;
  w.line("const ", w.index(), " image = ", at[0],
         dims.batch_groups > 1
             ? concat(" + ", at[1], " / ", literal(per_batch_group), " * ", literal(sizes[0]))
             : "",
         ";");
  w.line("const ", w.index(), " first = ",
         dims.groups > 1 ? concat(at[1], " / ", literal(per_group), " * ", literal(window[1])) : "0", ";");
  const std::string_view sum = sum_text(y.dtype);
  w.line(sum, " s = 0;");
  w.open("for (", w.index(), " c = 0; c < ", literal(window[1]), "; ++c)");
  size_t opened = 1;
  Strings x_at{"image", "(first + c)"}, w_at{at[1], "c"};
  for (size_t d = 0; d + 2 < sizes.size(); ++d) {
    w.open("for (", w.index(), " k", d, " = 0; k", d, " < ", literal(window[d + 2]), "; ++k", d, ")");
    ++opened;
    const Reading reading = print_place(w, dims, d, from[d + 2], window[d + 2], sizes[d + 2], at[d + 2]);
    if (!reading.inside.empty()) w.open("if (", reading.inside, ")"), ++opened;
    x_at.push_back(reading.place);
    w_at.push_back(concat("k", d));
  }
  w.line("s ",
         add_product_text(y.dtype, "s", concat("(", sum, ")", w.load(0, linear_text(x_at, x_strides))),
                          concat("(", sum, ")", w.load(1, linear_text(w_at, w_strides)))),
         ";");
  for (size_t i = 0; i < opened; ++i) w.close();
  w.store(0, "i", concat("(", computed_text(y.dtype), ")s"));
  return whole_step(node, w.finish(groups_of(count), kLanes));
}

constexpr NodePrinter kPrinters[] = {{"dot_general", dot_general}, {"conv_general", conv_general}};

void append(Ints& sizes, Ints& x, Ints& y, int64_t size, int64_t x_stride, int64_t y_stride) {
  sizes.push_back(size), x.push_back(x_stride), y.push_back(y_stride);
}

}  // namespace

DotShape dot_shape(const Graph& graph, const Node& node) {
  const Ints x = graph.type(node.inputs[0]).shape.sizes(), y = graph.type(node.inputs[1]).shape.sizes();
  const Ints x_strides = dense_strides(x), y_strides = dense_strides(y);
  const Ints &x_batch = node.attributes.get<Ints>("x_batch"), &y_batch = node.attributes.get<Ints>("y_batch"),
             &x_inner = node.attributes.get<Ints>("x_contract"),
             &y_inner = node.attributes.get<Ints>("y_contract");
  DotShape dot;
  std::vector<bool> x_taken(x.size(), false), y_taken(y.size(), false);
  const auto pair = [&](const Ints& xs, const Ints& ys, Ints& sizes, Ints& of_x, Ints& of_y) {
    for (size_t k = 0; k < xs.size(); ++k) {
      const auto i = static_cast<size_t>(xs[k]), j = static_cast<size_t>(ys[k]);
      append(sizes, of_x, of_y, x[i], x_strides[i], y_strides[j]);
      x_taken[i] = y_taken[j] = true;
    }
  };
  pair(x_batch, y_batch, dot.batch_sizes, dot.x_batch, dot.y_batch);
  pair(x_inner, y_inner, dot.inner_sizes, dot.x_inner, dot.y_inner);
  for (size_t i = 0; i < x.size(); ++i)
    if (!x_taken[i]) dot.x_sizes.push_back(x[i]), dot.x_free.push_back(x_strides[i]);
  for (size_t i = 0; i < y.size(); ++i)
    if (!y_taken[i]) dot.y_sizes.push_back(y[i]), dot.y_free.push_back(y_strides[i]);
  return dot;
}

std::string_view sum_text(DType result) {
  if (is_float(result)) return result == DType::f64 ? "f64" : "f32";
  return bit_width(result) == 64 ? "u64" : "u32";
}

std::string add_product_text(DType result, std::string_view sum, std::string_view x, std::string_view y) {
  if (is_float(result)) return concat("= MUL_ADD(", x, ", ", y, ", ", sum, ")");
  return concat("+= ", x, " * ", y);
}

std::span<const NodePrinter> contraction_kernels() { return kPrinters; }

}  // namespace temper
