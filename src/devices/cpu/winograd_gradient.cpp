// The gradient of the weights of a convolution of 3 x 3 windows: sums over tiles, block after block.
#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/winograd_tiles.h"

namespace temper::cpu {

namespace {

template <class Number>
class WinogradWeightGradient : public WinogradKernel<Number> {
 public:
  WinogradWeightGradient(const Tiling& tiling, const WinogradGradientSlots& slots)
      : WinogradKernel<Number>(tiling),
        slots_(slots),
        panels_(divided_up(tiling.block, kPair), tiling.out.channels),
        patch_plane_(plane_step(panels_.depth * tiling.in.channels)) {
    patches_ = take(kWinogradPlanes * patch_plane_);
    spread_ = take(panels_.elements());
    sums_ = take(kWinogradPlanes * sum_plane_);
  }

  void run(void* const* buffers, KernelState*) const override {
    const auto* x = static_cast<const Number*>(buffers[slots_.x]);
    const auto* dy = static_cast<const Number*>(buffers[slots_.dy]);
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
  using Base = WinogradKernel<Number>;
  using Base::kPair, Base::tiling_, Base::zeros_, Base::take, Base::part, Base::transforms, Base::put_patch;

  // [planes][words of tiles][channels]
  void transform_patches(const Number* x, int64_t first, int64_t count, float* patches) const {
    const int64_t channels = tiling_.in.channels;
    parallel_tasks(divided_up(count, kPair), count * channels * kWinogradPlanes, [&](int64_t word) {
      std::array<const Number*, kWinogradPlanes * kPair> places;
      places.fill(zeros_.data());
      for (int64_t i = word * kPair; i < std::min(count, (word + 1) * kPair); ++i)
        put_patch(x, first + i, places.data() + i % kPair * kWinogradPlanes);
      transforms().patches(places.data(), channels, {patches + word * channels, patch_plane_, channels, 0});
    });
  }

  void transform_gradients(const Number* dy, int64_t first, int64_t count, float* spread) const {
    constexpr int64_t kPlaces = kWinogradTile * kWinogradTile;
    const Picture& out = tiling_.out;
    parallel_tasks(divided_up(count, kPair), count * out.channels * kWinogradPlanes, [&](int64_t word) {
      std::array<const Number*, kPlaces * kPair> places;
      places.fill(zeros_.data());
      for (int64_t i = word * kPair; i < std::min(count, (word + 1) * kPair); ++i)
        put_square<kWinogradTile>(dy, out, tiling_.at(first + i), zeros_.data(),
                                  places.data() + i % kPair * kPlaces);
      transforms().spread(places.data(), out.channels, panels_.row(spread, word));
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
                .depth = divided_up(count, kPair),
                .adds = adds,
                .pairs = kPair == 2});
    });
  }

  void write_gradient(const float* sums, float* dw) const {
    const int64_t in = tiling_.in.channels, out = tiling_.out.channels;
    parallel_tasks(in, in * out * kWinogradPlanes, [&](int64_t c) {
      std::array<float*, kWinogradTaps> taps;
      for (int64_t t = 0; t < kWinogradTaps; ++t) taps[static_cast<size_t>(t)] = dw + (t * in + c) * out;
      transforms().gradient(sums + c * out, sum_plane_, out, taps.data());
    });
  }

  WinogradGradientSlots slots_;
  Panels panels_;
  const int64_t patch_plane_;
  const int64_t sum_plane_ = plane_step(tiling_.in.channels * tiling_.out.channels);
  int64_t patches_ = 0, spread_ = 0, sums_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_winograd_weight_gradient(const Tiling& tiling, DType dtype,
                                                      const WinogradGradientSlots& slots) {
  return with_width(dtype, [&]<class Number>(Number) -> std::unique_ptr<Kernel> {
    return std::make_unique<WinogradWeightGradient<Number>>(tiling, slots);
  });
}

}  // namespace temper::cpu
