#include "codegen/product.h"

#include <algorithm>

#include "codegen/contraction.h"
#include "ir/op.h"
#include "ops/conv_general.h"

namespace temper {

namespace {

std::optional<Product> product_of_dot(const Graph& graph, const Node& node) {
  const DotShape dot = dot_shape(graph, node);
  const auto a_row = joined_stride(dot.x_sizes, dot.x_free),
             b_column = joined_stride(dot.y_sizes, dot.y_free),
             a_inner = joined_stride(dot.inner_sizes, dot.x_inner),
             b_inner = joined_stride(dot.inner_sizes, dot.y_inner);
  if (!a_row || !b_column || !a_inner || !b_inner) return std::nullopt;
  Product p{.a = graph.type(node.inputs[0]).dtype,
            .b = graph.type(node.inputs[1]).dtype,
            .z = node.outputs[0].dtype,
            .groups = product_of(dot.batch_sizes),
            .rows = product_of(dot.x_sizes),
            .columns = product_of(dot.y_sizes),
            .inner = product_of(dot.inner_sizes),
            .group_sizes = dot.batch_sizes,
            .a_group = dot.x_batch,
            .b_group = dot.y_batch,
            .a_row = *a_row,
            .a_inner = *a_inner,
            .b_inner = *b_inner,
            .b_column = *b_column};
  p.z_row = p.columns;
  p.z_group = dense_strides(p.group_sizes);
  for (int64_t& stride : p.z_group) stride *= p.rows * p.columns;
  return p;
}

std::optional<Product> product_of_convolution(const Graph& graph, const Node& node) {
  const ops::ConvDims dims = conv_dims(node.attributes);
  const Type &x = graph.type(node.inputs[0]), &w = graph.type(node.inputs[1]), &y = node.outputs[0];
  const Ints from = x.shape.sizes(), window = w.shape.sizes(), out = y.shape.sizes();
  const Ints x_strides = dense_strides(from), y_strides = dense_strides(out);
  const int64_t groups = std::max(dims.groups, dims.batch_groups);
  Product p{.a = w.dtype,
            .b = x.dtype,
            .z = y.dtype,
            .groups = groups,
            .rows = out[1] / groups,
            .inner = product_of(window) / window[0],
            .group_sizes = {groups}};
  for (size_t d = 0; d + 2 < from.size(); ++d) {
    p.axes.push_back({from[d + 2], window[d + 2], out[d + 2], dims.strides[d], dims.low[d],
                      dims.x_dilation[d], dims.w_dilation[d], x_strides[d + 2]});
    p.positions *= out[d + 2];
  }
  p.columns = out[0] * p.positions;
  p.a_row = p.inner;
  p.a_inner = 1;
  p.a_group = {p.rows * p.inner};
  p.b_group = {dims.groups > 1 ? window[1] * x_strides[1] : out[0] * x_strides[0]};
  p.z_row = y_strides[1];
  p.z_group = {p.rows * y_strides[1]};
  p.picture = x_strides[0];
  p.channel = x_strides[1];
  p.z_picture = y_strides[0];
  return p;
}

}  // namespace

std::optional<int64_t> joined_stride(const Ints& sizes, const Ints& strides) {
  std::optional<int64_t> stride;
  int64_t expected = 0;
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] == 1) continue;
    if (!stride)
      stride = strides[i];
    else if (strides[i] != expected)
      return std::nullopt;
    expected = strides[i] * sizes[i];
  }
  return stride.value_or(0);
}

std::optional<Product> product_of_node(const Graph& graph, const Node& node) {
  std::optional<Product> product;
  if (node.op->name == "dot_general") product = product_of_dot(graph, node);
  if (node.op->name == "conv_general") product = product_of_convolution(graph, node);
  if (!product || product->rows < 4 || product->columns < 8 || product->inner < 8) return std::nullopt;
  product->largest = largest_of(graph, node);
  return product;
}

std::vector<KernelStep> product_step(const Node& node, KernelText kernel) {
  std::vector<KernelStep> steps = whole_step(node, std::move(kernel));
  if (node.op->name == "conv_general")
    std::swap(steps[0].operands[0], steps[0].operands[1]);  // A is the window
  return steps;
}

void ColumnText::begin(KernelWriter& w, std::string_view n, std::string_view suffix) const {
  if (product_.axes.empty()) {
    w.line("const ", w.index(), " column", suffix, " = ", n, " * ", literal(product_.b_column), ";");
    return;
  }
  std::string rest = concat("(", n, " % ", literal(product_.positions), ")");
  std::string base = concat(n, " / ", literal(product_.positions), " * ", literal(product_.picture));
  int64_t below = product_.positions;
  for (size_t d = 0; d < product_.axes.size(); ++d) {
    const Product::Axis& axis = product_.axes[d];
    below /= axis.out;
    w.line("const int place", d, suffix, " = (int)(", rest, " / ", literal(below), " % ", literal(axis.out),
           ") * ", axis.stride, " - ", axis.low, ";");
    if (axis.x_dilation == 1) base += concat(" + place", d, suffix, " * ", literal(axis.x_step));
  }
  w.line("const ", w.index(), " column", suffix, " = ", base, ";");
}

void ColumnText::begin_arrays(KernelWriter& w, std::string_view n0, int count) const {
  w.line(w.index(), " column[", count, "];");
  for (size_t d = 0; d < product_.axes.size(); ++d) w.line("int place", d, "[", count, "];");
  w.open("for (int j = 0; j < ", count, "; ++j)");
  w.line("const ", w.index(), " n = ", n0, " + j < ", literal(product_.columns), " ? ", n0,
         " + j : ", literal(product_.columns - 1), ";");
  begin(w, "n", "_");
  w.line("column[j] = column_;");
  for (size_t d = 0; d < product_.axes.size(); ++d) w.line("place", d, "[j] = place", d, "_;");
  w.close();
}

void ColumnText::begin_inner(KernelWriter& w, std::string_view k) const {
  if (product_.axes.empty()) {
    w.line("const ", w.index(), " depth = ", k, " * ", literal(product_.b_inner), ";");
    return;
  }
  int64_t below = 1;
  for (const Product::Axis& axis : product_.axes) below *= axis.window;
  std::string depth = concat(k, " / ", literal(below), " * ", literal(product_.channel));
  for (size_t d = 0; d < product_.axes.size(); ++d) {
    const Product::Axis& axis = product_.axes[d];
    below /= axis.window;
    w.line("const int step", d, " = (int)(", k, " / ", literal(below), " % ", literal(axis.window), ") * ",
           axis.w_dilation, ";");
    if (axis.x_dilation == 1) depth += concat(" + step", d, " * ", literal(axis.x_step));
  }
  w.line("const ", w.index(), " depth = ", depth, ";");
}

std::string ColumnText::element(const KernelWriter& w, std::string_view sum, std::string_view base,
                                std::string_view at) const {
  std::string index = concat(base, " + column", at, " + depth"), inside;
  for (size_t d = 0; d < product_.axes.size(); ++d) {
    const Product::Axis& axis = product_.axes[d];
    const int64_t spread = (axis.size - 1) * axis.x_dilation + 1,
                  last = (axis.out - 1) * axis.stride - axis.low + (axis.window - 1) * axis.w_dilation;
    const std::string place = concat("(place", d, at, " + step", d, ")");
    if (axis.low > 0 || last >= spread)
      inside += concat(inside.empty() ? "" : " && ", "(u32)", place, " < ", spread, "u");
    if (axis.x_dilation == 1) continue;
    inside += concat(inside.empty() ? "" : " && ", place, " % ", axis.x_dilation, " == 0");
    index += concat(" + ", place, " / ", axis.x_dilation, " * ", literal(axis.x_step));
  }
  const std::string value = concat("(", sum, ")", w.load(1, index));
  return inside.empty() ? value : concat("(", inside, ") ? ", value, " : 0");
}

std::string ColumnText::result(std::string_view n) const {
  if (product_.axes.empty()) return std::string(n);
  if (product_.columns == product_.positions) return std::string(n);
  return concat(n, " / ", literal(product_.positions), " * ", literal(product_.z_picture), " + ", n, " % ",
                literal(product_.positions));
}

}  // namespace temper
