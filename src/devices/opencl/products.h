#pragma once
// Contractions in tiles: Z[g, m, n] = sum over k of A[g, m, k] B[g, k, n], for each g. dot_general is one; so
// is a convolution, whose B is never laid out: its elements are read where the window finds them.
#include <optional>

#include "codegen/node_text.h"
#include "target/target.h"

namespace temper::opencl {

// Kernels of single nodes on this device: contractions in tiles where that is faster, else as codegen has
// them.
std::vector<KernelStep> kernels_of(const TargetFacts& facts, const Graph& graph, const Node& node);

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

// None if tiles do not suit the node.
std::optional<Product> product_of_node(const Graph& graph, const Node& node);

// For processors: an item computes a tile with vectors; B's part is packed in its own memory.
struct VectorTile {
  int width = 16;  // numbers of a vector
  int rows = 64, columns = 64, inner = 128;
  int unrolled = 8;  // rows at once, by two vectors
};
KernelText vector_kernel(const Product& product, const VectorTile& tile);

// For everything else: a group computes a tile, whose parts of A and B it shares in local memory.
struct GroupTile {
  int side = 16;  // items of a group, along rows and along columns
  int each = 4;   // rows and columns of an item
  int inner = 16;
};
KernelText group_kernel(const Product& product, const GroupTile& tile);

// How elements of B are found; what both kernels print alike.
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

}  // namespace temper::opencl
