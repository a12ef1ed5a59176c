// A convolution of 3 x 3 windows, or the gradient of its input.
#include "base/check.h"
#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/transpose.h"
#include "devices/cpu/winograd_tiles.h"

namespace temper::cpu {

namespace {

// w: [taps][in][out] of a product. A row of the result is a word of every channel out.
template <class Number>
void transform_weights(const float* w, int64_t in, const Panels& panels, float* weights) {
  constexpr int64_t kPair = 4 / sizeof(Number);
  const int64_t out = panels.columns;
  parallel_tasks(panels.depth, in * out * kWinogradPlanes, [&](int64_t row) {
    std::array<const float*, kWinogradTaps * kPair> taps;
    for (int64_t half = 0; half < kPair; ++half)
      for (int64_t t = 0; t < kWinogradTaps; ++t)
        taps[static_cast<size_t>(half * kWinogradTaps + t)] = w + (t * in + row * kPair + half) * out;
    winograd_transforms(Number()).weight_rows(taps.data(), out, panels.row(weights, row));
  });
}

class TransformWeights : public Kernel {
 public:
  explicit TransformWeights(const Shape& w) : in_(w.size(1)), panels_(in_, w.size(0)) {}
  void run(void* const* buffers, KernelState*) const override {
    transform_weights<float>(static_cast<const float*>(buffers[0]), in_, panels_,
                             static_cast<float*>(buffers[1]));
  }

 private:
  const int64_t in_;
  const Panels panels_;
};

template <class Number>
class WinogradConvolution : public WinogradKernel<Number> {
 public:
  WinogradConvolution(const Tiling& tiling, WinogradWeights given, const WinogradSlots& slots,
                      std::vector<WinogradFollow> follows, int threads)
      : WinogradKernel<Number>(tiling),
        given_(given),
        slots_(slots),
        follows_(std::move(follows)),
        depth_(tiling.in.channels / kPair),
        panels_(depth_, tiling.out.channels),
        patch_plane_(plane_step(tiling.block * depth_)) {
    if (given_ != WinogradWeights::transformed) weights_ = take(panels_.elements());
    patches_ = take(kWinogradPlanes * patch_plane_);
    sums_ = take(kWinogradPlanes * sum_plane_);
    if (given_ == WinogradWeights::transposed) rows_ = take(threads * row_words());
  }

  void run(void* const* buffers, KernelState*) const override {
    const auto* x = static_cast<const Number*>(buffers[slots_.x]);
    const float* weights = weights_of(buffers);
    float* patches = part(buffers, slots_.scratch, patches_);
    float* sums = part(buffers, slots_.scratch, sums_);
    for (int64_t first = 0; first < tiling_.tiles; first += tiling_.block) {
      const int64_t count = std::min(tiling_.block, tiling_.tiles - first);
      transform_patches(x, first, count, patches);
      multiply_planes(patches, weights, count, sums);
      write_results(sums, first, count, buffers);
    }
  }

 private:
  using Base = WinogradKernel<Number>;
  using Base::kPair, Base::tiling_, Base::take, Base::part, Base::transforms, Base::put_patch;
  static constexpr int64_t kRows = 16;  // of weights that are transposed at a time
  int64_t row_words() const { return kWinogradPlanes * kRows * panels_.width; }

  const float* weights_of(void* const* buffers) const {
    const auto* w = static_cast<const float*>(buffers[slots_.w]);
    if (given_ == WinogradWeights::transformed) return w;
    float* weights = part(buffers, slots_.scratch, weights_);
    if (given_ == WinogradWeights::transposed) {
      transform_transposed(w, weights, part(buffers, slots_.scratch, rows_));
    } else {
      transform_weights<Number>(w, tiling_.in.channels, panels_, weights);
    }
    return weights;
  }

  // [planes][count][depth]
  void transform_patches(const Number* x, int64_t first, int64_t count, float* patches) const {
    const int64_t channels = tiling_.in.channels;
    parallel_tasks(count, count * channels * kWinogradPlanes, [&](int64_t i) {
      std::array<const Number*, kWinogradPlanes> places;
      put_patch(x, first + i, places.data());
      transforms().patch(places.data(), channels, {patches + i * depth_, patch_plane_, depth_, 0});
    });
  }

  // w: [taps][out][in] of this product.
  void transform_transposed(const float* w, float* weights, float* all_rows) const {
    const int64_t in = tiling_.in.channels, out = tiling_.out.channels, width = panels_.width;
    const auto some_rows = [&](int64_t task, float* rows) {
      const int64_t column = task * kRows;
      float* to = weights + column / width * depth_ * width + column % width;
      for (int64_t k = 0; k < depth_; k += width) {
        const int64_t some = std::min(width, depth_ - k);
        for (int64_t r = 0; r < kRows; ++r) {
          std::array<const float*, kWinogradTaps> taps;
          for (int64_t t = 0; t < kWinogradTaps; ++t)
            taps[static_cast<size_t>(kWinogradTaps - 1 - t)] = w + (t * out + column + r) * in + k * kPair;
          transforms().weights(taps.data(), some * kPair, {rows + r * width, kRows * width, width, 0});
        }
        for (int64_t p = 0; p < kWinogradPlanes; ++p)
          transpose_tile(reinterpret_cast<const uint32_t*>(rows + p * kRows * width), width,
                         reinterpret_cast<uint32_t*>(to + p * panels_.plane + k * width), width, some, kRows);
      }
    };
    parallel_by_member(out / kRows, in * out * kWinogradPlanes,
                       [&](int64_t begin, int64_t end, int64_t member) {
                         for (int64_t task = begin; task < end; ++task)
                           some_rows(task, all_rows + member * row_words());
                       });
  }

  void multiply_planes(const float* patches, const float* weights, int64_t count, float* sums) const {
    const int64_t out = tiling_.out.channels, work = kWinogradPlanes * count * depth_ * out;
    parallel_tasks(kWinogradPlanes * panels_.count, work, [&](int64_t task) {
      const int64_t p = task / panels_.count, j = task % panels_.count;
      multiply({.a = patches + p * patch_plane_,
                .a_row = depth_,
                .a_depth = 1,
                .b = weights + p * panels_.plane + j * depth_ * panels_.width,
                .c = sums + p * sum_plane_ + j * panels_.width,
                .c_row = out,
                .rows = count,
                .columns = panels_.columns_of(j),
                .depth = depth_,
                .pairs = kPair == 2});
    });
  }

  void write_results(const float* sums, int64_t first, int64_t count, void* const* buffers) const {
    const Picture& out = tiling_.out;
    std::array<WinogradPost<Number>, kMostFollows> posts;
    for (size_t i = 0; i < follows_.size(); ++i) {
      const auto& [operand, low, high] = follows_[i];
      posts[i] = {operand < 0 ? nullptr : static_cast<const Number*>(buffers[operand]), low, high};
    }
    const WinogradResult<Number> result{
        .y = static_cast<Number*>(buffers[slots_.y]),
        .offsets = {},
        .bias = slots_.bias < 0 ? nullptr : static_cast<const float*>(buffers[slots_.bias]),
        .posts = posts.data(),
        .post_count = static_cast<int64_t>(follows_.size())};
    parallel_tasks(count, count * out.channels * kWinogradPlanes, [&, result](int64_t i) {
      const Tiling::At at = tiling_.at(first + i);
      WinogradResult<Number> here = result;
      for (int64_t place = 0; place < kWinogradTile * kWinogradTile; ++place) {
        const int64_t row = at.row + place / kWinogradTile, column = at.column + place % kWinogradTile;
        here.offsets[static_cast<size_t>(place)] =
            row < out.rows && column < out.columns
                ? at.picture * out.elements() + (row * out.columns + column) * out.channels
                : -1;
      }
      transforms().result(sums + i * out.channels, sum_plane_, out.channels, here);
    });
  }

  WinogradWeights given_;
  WinogradSlots slots_;
  std::vector<WinogradFollow> follows_;
  const int64_t depth_;  // in words
  Panels panels_;
  const int64_t patch_plane_;
  const int64_t sum_plane_ = plane_step(tiling_.block * tiling_.out.channels);
  int64_t weights_ = 0, patches_ = 0, sums_ = 0, rows_ = 0;
};

}  // namespace

int64_t transformed_bytes(const Shape& weights) {
  return Panels(weights.size(1), weights.size(0)).elements() * 4;
}

std::unique_ptr<Kernel> make_transform_weights(const Shape& weights) {
  return std::make_unique<TransformWeights>(weights);
}

std::unique_ptr<Kernel> make_winograd_convolution(const Tiling& tiling, DType dtype, WinogradWeights weights,
                                                  const WinogradSlots& slots,
                                                  std::vector<WinogradFollow> follows, int threads) {
  return with_width(dtype, [&]<class Number>(Number) -> std::unique_ptr<Kernel> {
    return std::make_unique<WinogradConvolution<Number>>(tiling, weights, slots, std::move(follows), threads);
  });
}

}  // namespace temper::cpu
