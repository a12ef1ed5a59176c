#pragma once
// dot_general through oneDNN's matmul: transposes are strides, batch axes stay axes.
#include "devices/cpu/kernel.h"

namespace temper::cpu {

// The layouts in which matmul reads the operands: the present ones if it can, else an order of axes that
// suits it.
struct DotLayouts {
  int64_t x, y;
};
DotLayouts dot_layouts(const Graph& graph, const Node& dot, int64_t x_present, int64_t y_present);

// The blocks in which a product wants operand 1, a matrix that nobody else reads, so that no run packs it
// again; none if they have no name, or the product is not one of two matrices.
std::optional<int64_t> packed_layout(const Graph& graph, const Node& dot, int threads);

bool onednn_multiplies(DType dtype);

// Whether make_matmul writes its result in a layout that is not row-major.
bool can_store_product(const Graph& graph, const Cluster& cluster, int64_t layout);

// Null if oneDNN has no kernel for it. What is added to the result is row-major.
std::unique_ptr<Kernel> make_matmul(const KernelRequest& request);

}  // namespace temper::cpu
