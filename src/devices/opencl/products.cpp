#include "devices/opencl/products.h"

#include <algorithm>

namespace temper::opencl {

namespace {

std::string_view fact(const TargetFacts& facts, std::string_view name) {
  const auto found = facts.facts.find(name);
  return found == facts.facts.end() ? std::string_view() : std::string_view(found->second);
}

VectorTile vector_tile(const TargetFacts& facts, const Product& product) {
  int64_t width = 4;
  parse_number(fact(facts, "vector"), width);
  if (bit_width(product.z) == 64) width /= 2;
  VectorTile tile{.width = static_cast<int>(std::clamp<int64_t>(width, 2, 16))};
  if (tile.width < 16) tile.unrolled = 4;  // fewer registers, too
  tile.unrolled = static_cast<int>(std::min<int64_t>(tile.unrolled, product.rows));
  while (tile.rows / 2 >= product.rows) tile.rows /= 2;
  tile.rows = (tile.rows + tile.unrolled - 1) / tile.unrolled * tile.unrolled;
  return tile;
}

}  // namespace

std::vector<KernelStep> kernels_of(const TargetFacts& facts, const Graph& graph, const Node& node) {
  const std::optional<Product> product = product_of_node(graph, node);
  if (!product) return node_kernels(graph, node);
  return product_step(node, fact(facts, "type") == "cpu"
                                ? vector_kernel(*product, vector_tile(facts, *product))
                                : group_kernel(*product, {}));
}

}  // namespace temper::opencl
