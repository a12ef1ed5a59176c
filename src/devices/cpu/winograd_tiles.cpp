#include "devices/cpu/winograd_tiles.h"

#include "devices/cpu/kernels/parallel.h"

namespace temper::cpu {

Tiling::Tiling(const Shape& x, const Shape& y, int64_t low_row, int64_t low_column)
    : batch(x.size(0)),
      in{x.size(2), x.size(3), x.size(1)},
      out{y.size(2), y.size(3), y.size(1)},
      low_row(low_row),
      low_column(low_column),
      rows(divided_up(out.rows, kWinogradTile)),
      columns(divided_up(out.columns, kWinogradTile)),
      tiles(batch * rows * columns) {
  constexpr int64_t kBlockBytes = 6 << 20;
  const int64_t bytes = kWinogradPlanes * 4 * (in.channels + out.channels);
  block = std::min(tiles, std::max<int64_t>(48, kBlockBytes / bytes));
}

WinogradKernel::WinogradKernel(const Tiling& tiling)
    : tiling_(tiling),
      zeros_(static_cast<size_t>(std::max(tiling.in.channels, tiling.out.channels))),
      patch_plane_(plane_step(tiling.block * tiling.in.channels)) {}

void WinogradKernel::transform_patches(const float* x, int64_t first, int64_t count, float* patches) const {
  const int64_t channels = tiling_.in.channels;
  parallel_tasks(count, count * channels * kWinogradPlanes, [&](int64_t i) {
    const Tiling::At at = tiling_.at(first + i);
    const auto places = square<kWinogradPatch>(x, tiling_.in, at.picture, at.row - tiling_.low_row,
                                               at.column - tiling_.low_column, zeros_.data());
    winograd_transforms().patch(places.data(), channels, {patches + i * channels, patch_plane_, channels, 0});
  });
}

}  // namespace temper::cpu
