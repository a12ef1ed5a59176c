// The gradient of the weights of a convolution of 3 x 3 windows: sums over tiles, block after block.
#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/winograd_tiles.h"

namespace temper::cpu {

namespace {

class WinogradWeightGradient : public WinogradKernel {
 public:
  WinogradWeightGradient(const Tiling& tiling, const WinogradGradientSlots& slots)
      : WinogradKernel(tiling), slots_(slots), panels_(tiling.block, tiling.out.channels) {
    patches_ = take(kWinogradPlanes * patch_plane_);
    spread_ = take(panels_.elements());
    sums_ = take(kWinogradPlanes * sum_plane_);
  }

  void run(void* const* buffers, KernelState*) const override {
    const auto* x = static_cast<const float*>(buffers[slots_.x]);
    const auto* dy = static_cast<const float*>(buffers[slots_.dy]);
    float* patches = part(buffers, slots_.scratch, patches_);
    float* spread = part(buffers, slots_.scratch, spread_);
    float* sums = part(buffers, slots_.scratch, sums_);
    for (int64_t first = 0; first < tiling_.tiles; first += tiling_.block) {
      const int64_t count = std::min(tiling_.block, tiling_.tiles - first);
      transform_patches(x, first, count, patches);
      transform_gradients(dy, first, count, spread);
      add_planes(patches, spread, first > 0, count, sums);
    }
    write_gradient(sums, static_cast<float*>(buffers[slots_.dw]));
  }

 private:
  void transform_gradients(const float* dy, int64_t first, int64_t count, float* spread) const {
    const Picture& out = tiling_.out;
    parallel_tasks(count, count * out.channels * kWinogradPlanes, [&](int64_t i) {
      const Tiling::At at = tiling_.at(first + i);
      const auto places = square<kWinogradTile>(dy, out, at.picture, at.row, at.column, zeros_.data());
      winograd_transforms().spread(places.data(), out.channels, panels_.row(spread, i));
    });
  }

  void add_planes(const float* patches, const float* spread, bool adds, int64_t count, float* sums) const {
    const int64_t in = tiling_.in.channels, out = tiling_.out.channels;
    parallel_tasks(kWinogradPlanes * panels_.count, kWinogradPlanes * count * in * out, [&](int64_t task) {
      const int64_t p = task / panels_.count, j = task % panels_.count;
      multiply({.a = patches + p * patch_plane_,
                .a_row = 1,
                .a_depth = in,
                .b = spread + p * panels_.plane + j * panels_.depth * panels_.width,
                .c = sums + p * sum_plane_ + j * panels_.width,
                .c_row = out,
                .rows = in,
                .columns = panels_.columns_of(j),
                .depth = count,
                .adds = adds});
    });
  }

  void write_gradient(const float* sums, float* dw) const {
    const int64_t in = tiling_.in.channels, out = tiling_.out.channels;
    parallel_tasks(in, in * out * kWinogradPlanes, [&](int64_t c) {
      std::array<float*, kWinogradTaps> taps;
      for (int64_t t = 0; t < kWinogradTaps; ++t) taps[static_cast<size_t>(t)] = dw + (t * in + c) * out;
      winograd_transforms().gradient(sums + c * out, sum_plane_, out, taps.data());
    });
  }

  WinogradGradientSlots slots_;
  Panels panels_;
  const int64_t sum_plane_ = plane_step(tiling_.in.channels * tiling_.out.channels);
  int64_t patches_ = 0, spread_ = 0, sums_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_winograd_weight_gradient(const Tiling& tiling,
                                                      const WinogradGradientSlots& slots) {
  return std::make_unique<WinogradWeightGradient>(tiling, slots);
}

}  // namespace temper::cpu
