// The table of operators, and those with graphs inside.
#include <array>

#include "formats/onnx/call.h"

namespace temper::onnx {

namespace {

// A condition known when the model is read chooses its branch for good.
Results if_known(Call& c) {
  const GraphDef *then_branch = c.graph("then_branch"), *else_branch = c.graph("else_branch");
  c.expect(then_branch && else_branch, "a branch is missing");
  return c.scope.inline_graph(c.integer(0) != 0 ? *then_branch : *else_branch);
}

constexpr std::array kRows{
    Row{"If", 1, kNewest, if_known},
};

constexpr std::array kFamilies{elementwise_rows,   activation_rows, shape_rows,  slicing_rows,
                               index_rows,         reduce_rows,     matmul_rows, conv_rows,
                               normalization_rows, pool_rows,       resize_rows, quantization_rows,
                               control_rows};

}  // namespace

std::span<const Row> control_rows() { return kRows; }

const Row* find_row(std::string_view name, int64_t opset) {
  for (const auto& family : kFamilies)
    for (const Row& row : family())
      if (row.name == name && row.since <= opset && opset <= row.until) return &row;
  return nullptr;
}

bool known_operator(std::string_view name) {
  for (const auto& family : kFamilies)
    for (const Row& row : family())
      if (row.name == name) return true;
  return false;
}

}  // namespace temper::onnx
