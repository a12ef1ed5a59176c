#pragma once
// What the convolution and the gradient of its weights share: tiles, their transforms, where these lie.
#include <algorithm>
#include <array>

#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/product.h"
#include "devices/cpu/kernels/winograd.h"
#include "devices/cpu/onednn.h"

namespace temper::cpu {

inline constexpr int64_t kWinogradTaps = 9;

// Planes at distances that are no multiple of a page: else all 36 would compete for the same lines of a
// cache.
inline int64_t plane_step(int64_t elements) { return elements + (elements / 16 % 2 == 0 ? 16 : 0); }

struct Picture {
  int64_t rows, columns, channels;
  int64_t elements() const { return rows * columns * channels; }
};

// Tiles of the result of a convolution with stride 1, in blocks whose transforms stay in a cache.
struct Tiling {
  Tiling(const Shape& x, const Shape& y, int64_t low_row, int64_t low_column, int64_t least = 48);

  struct At {
    int64_t picture, row, column;  // of the tile's first result
  };
  At at(int64_t tile) const {
    return {tile / (rows * columns), tile / columns % rows * kWinogradTile, tile % columns * kWinogradTile};
  }

  int64_t batch;
  Picture in, out;
  int64_t low_row, low_column, rows, columns, tiles, block = 0;
};

// The addresses of a square of a picture; `outside` for places beyond its edges.
template <int64_t Size, class Number>
void put_square(const Number* pictures, const Picture& picture, const Tiling::At& at, const Number* outside,
                const Number** places) {
  const Number* first = pictures + at.picture * picture.elements();
  for (int64_t i = 0; i < Size; ++i)
    for (int64_t j = 0; j < Size; ++j) {
      const int64_t r = at.row + i, c = at.column + j;
      const bool inside = r >= 0 && r < picture.rows && c >= 0 && c < picture.columns;
      places[i * Size + j] = inside ? first + (r * picture.columns + c) * picture.channels : outside;
    }
}

// [panels][depth][panel] for each plane, in words.
struct Panels {
  Panels(int64_t depth, int64_t columns)
      : depth(depth),
        columns(columns),
        count(divided_up(columns, width)),
        plane(plane_step(count * depth * width)) {}
  int64_t width = product_panel(), depth, columns, count, plane;
  int64_t elements() const { return kWinogradPlanes * plane; }
  int64_t columns_of(int64_t panel) const { return std::min(width, columns - panel * width); }
  WinogradPlace row(float* start, int64_t k) const {
    return {start + k * width, plane, width, depth * width};
  }
};

// Number: of activations and of what is multiplied, float or Bf16.
template <class Number>
class WinogradKernel : public Kernel {
 public:
  int64_t scratch_bytes() const override { return plan_.bytes(); }
  std::string_view method() const override { return "winograd"; }

 protected:
  static constexpr int64_t kPair = 4 / sizeof(Number);  // numbers in a word

  explicit WinogradKernel(const Tiling& tiling)
      : tiling_(tiling), zeros_(static_cast<size_t>(std::max(tiling.in.channels, tiling.out.channels))) {}

  static const WinogradTransforms<Number>& transforms() { return winograd_transforms(Number()); }

  int64_t take(int64_t words) { return plan_.take(words * 4); }  // of scratch; their place
  static float* part(void* const* buffers, int scratch, int64_t place) {
    return reinterpret_cast<float*>(static_cast<std::byte*>(buffers[scratch]) + place);
  }

  // The input of a tile's results.
  void put_patch(const Number* x, int64_t tile, const Number** places) const {
    Tiling::At at = tiling_.at(tile);
    at.row -= tiling_.low_row, at.column -= tiling_.low_column;
    put_square<kWinogradPatch>(x, tiling_.in, at, zeros_.data(), places);
  }

  const Tiling tiling_;
  const std::vector<Number> zeros_;

 private:
  ScratchPlan plan_;
};

// y = x * w; or, transposed, the gradient of the input: the same with the windows turned around and the
// channels of w exchanged.
struct WinogradSlots {
  int x, w, y, bias, scratch;  // bias: -1 if there is none
};
struct WinogradFollow {
  int operand;  // slot of what is added; -1: a clip
  float low, high;
};
inline constexpr size_t kMostFollows = 8;
enum class WinogradWeights { plain, transposed, transformed };
std::unique_ptr<Kernel> make_winograd_convolution(const Tiling& tiling, DType dtype, WinogradWeights weights,
                                                  const WinogradSlots& slots,
                                                  std::vector<WinogradFollow> follows, int threads);

struct WinogradGradientSlots {
  int x, dy, dw, scratch;
};
std::unique_ptr<Kernel> make_winograd_weight_gradient(const Tiling& tiling, DType dtype,
                                                      const WinogradGradientSlots& slots);

}  // namespace temper::cpu
