#include "devices/cpu/winograd_tiles.h"

namespace temper::cpu {

Tiling::Tiling(const Shape& x, const Shape& y, int64_t low_row, int64_t low_column, int64_t least)
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
  block = std::min(tiles, std::max<int64_t>(least, kBlockBytes / bytes));
}

}  // namespace temper::cpu
