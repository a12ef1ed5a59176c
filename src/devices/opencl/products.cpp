#include "devices/opencl/products.h"

#include <algorithm>

#include "devices/opencl/tiles.h"

namespace temper::opencl {

namespace {

VectorTile vector_tile(VectorTile tile, const Product& product) {
  if (bit_width(product.z) == 64) {
    tile.width = std::max(tile.width / 2, 2);
    tile.unrolled = std::min(tile.unrolled, 4);
  }
  tile.unrolled = static_cast<int>(std::min<int64_t>(tile.unrolled, product.rows));
  while (tile.rows / 2 >= product.rows) tile.rows /= 2;
  tile.rows = (tile.rows + tile.unrolled - 1) / tile.unrolled * tile.unrolled;
  return tile;
}

}  // namespace

std::vector<KernelStep> kernels_of(const TargetFacts& facts, const Graph& graph, const Node& node) {
  const std::optional<Product> product = product_of_node(graph, node);
  if (!product) return node_kernels(graph, node);
  const Tiles tiles = tiles_of(facts, !product->axes.empty());
  const auto type = facts.facts.find("type");
  return product_step(node, type != facts.facts.end() && type->second == "cpu"
                                ? vector_kernel(*product, vector_tile(tiles.vectors, *product))
                                : group_kernel(*product, tiles.groups));
}

}  // namespace temper::opencl
