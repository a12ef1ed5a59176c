#pragma once
// What printers of contractions share.
#include "ir/graph.h"

namespace temper {

// dot_general by the axes of its result: sizes with the strides that they have in both operands.
struct DotShape {
  Ints batch_sizes, x_batch, y_batch;
  Ints x_sizes, x_free;  // rows
  Ints y_sizes, y_free;  // columns
  Ints inner_sizes, x_inner, y_inner;
};
DotShape dot_shape(const Graph& graph, const Node& node);

// What products for a result of this dtype are added up in; integers wrap.
std::string_view sum_text(DType result);
// "= MUL_ADD(x, y, sum)": what follows `sum`.
std::string add_product_text(DType result, std::string_view sum, std::string_view x, std::string_view y);

}  // namespace temper
