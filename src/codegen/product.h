#pragma once
// Contractions in tiles: Z[g, m, n] = sum over k of A[g, m, k] B[g, k, n], for each g. dot_general is one; so
// is a convolution, whose B is never laid out: its elements are read where the window finds them.
#include <optional>

#include "codegen/node_text.h"

namespace temper {

struct Product {
  DType a, b, z;
  int64_t groups = 1, rows = 1, columns = 1, inner = 1;
  Ints group_sizes, a_group, b_group, z_group;  // g by its axes, with their strides
  int64_t a_row = 0, a_inner = 0;               // strides
  int64_t z_row = 0;
  int64_t largest = 0;  // elements of an operand or the result
  // dot_general: strides of B; columns of Z lie side by side.
  int64_t b_inner = 0, b_column = 0;
  // Convolution: a column is a picture and a place in the result, k a channel and a place in the window.
  struct Axis {
    int64_t size, window, out, stride, low, x_dilation, w_dilation, x_step;
  };
  std::vector<Axis> axes = {};
  int64_t picture = 0, channel = 0;      // strides of B
  int64_t z_picture = 0, positions = 1;  // stride of Z; places of a picture's result
};

// The stride of several axes as one; none if they do not lie so. No axes: 0.
std::optional<int64_t> joined_stride(const Ints& sizes, const Ints& strides);

// None if tiles do not suit the node.
std::optional<Product> product_of_node(const Graph& graph, const Node& node);

// The node's step with a kernel whose x is A and whose y is B.
std::vector<KernelStep> product_step(const Node& node, KernelText kernel);

// A group computes a tile, whose parts of A and B it shares in local memory.
struct GroupTile {
  int side = 16;  // items of a group, along rows and along columns
  int each = 4;   // rows and columns of an item
  int inner = 16;
};
KernelText group_kernel(const Product& product, const GroupTile& tile);

// How elements of B are found; what printers of tiles have in common.
class ColumnText {
 public:
  explicit ColumnText(const Product& product) : product_(product) {}
  // For column `n`: declares what is known of it once, under names that end in `suffix`.
  void begin(KernelWriter& w, std::string_view n, std::string_view suffix) const;
  // The same as arrays over `count` columns from `n0`, and as expressions of one of them.
  void begin_arrays(KernelWriter& w, std::string_view n0, int count) const;
  // Declares what depends on `k` alone.
  void begin_inner(KernelWriter& w, std::string_view k) const;
  // The element for both; 0 outside. `at` follows the names of begin: a suffix, or "[j]".
  std::string element(const KernelWriter& w, std::string_view sum, std::string_view base,
                      std::string_view at) const;
  // Where the column's result stands in a row of Z.
  std::string result(std::string_view n) const;

 private:
  const Product& product_;
};

}  // namespace temper
