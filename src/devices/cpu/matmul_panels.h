#pragma once
// Products of f32 matrices by own loops: for processors without AVX-512, where oneDNN's cut sums by the
// number of threads, and take up to twice as long for turned matrices.
#include "devices/cpu/fusion.h"

namespace temper::cpu {

// z [rows, columns] = x [rows, depth] y [depth, columns]; steps between elements of both axes, one of them 1,
// that of z's columns always.
struct PanelMatmul {
  int64_t rows, columns, depth;
  std::array<int64_t, 2> x, y;
  int64_t z;  // step between rows
  int x_slot, y_slot;
};

std::unique_ptr<Kernel> make_panel_matmul(const KernelRequest& request, const Fusion& fusion,
                                          const PanelMatmul& product);

}  // namespace temper::cpu
