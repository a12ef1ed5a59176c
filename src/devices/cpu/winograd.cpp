#include "devices/cpu/winograd.h"

#include <omp.h>

#include <algorithm>
#include <limits>

#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/product.h"
#include "devices/cpu/kernels/transpose.h"
#include "devices/cpu/kernels/winograd.h"
#include "devices/cpu/post_ops.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

constexpr int64_t kPlanes = kWinogradPlanes, kTile = kWinogradTile, kTaps = 9;

int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Planes at distances that are no multiple of a page: else all 36 would compete for the same lines of a
// cache.
int64_t plane_step(int64_t elements) { return elements + (elements / 16 % 2 == 0 ? 16 : 0); }

struct Picture {
  int64_t rows, columns, channels;
  int64_t elements() const { return rows * columns * channels; }
};

// Tiles of the result of a convolution with stride 1, in blocks whose transforms stay in a cache.
struct Tiling {
  Tiling(const Shape& x, const Shape& y, int64_t low_row, int64_t low_column)
      : batch(x.size(0)),
        in{x.size(2), x.size(3), x.size(1)},
        out{y.size(2), y.size(3), y.size(1)},
        low_row(low_row),
        low_column(low_column),
        rows(divided_up(out.rows, kTile)),
        columns(divided_up(out.columns, kTile)),
        tiles(batch * rows * columns) {
    constexpr int64_t kBlockBytes = 6 << 20;
    const int64_t bytes = kPlanes * 4 * (in.channels + out.channels);
    block = std::min(tiles, std::max<int64_t>(48, kBlockBytes / bytes));
  }

  struct At {
    int64_t picture, row, column;  // of the tile's first result
  };
  At at(int64_t tile) const {
    return {tile / (rows * columns), tile / columns % rows * kTile, tile % columns * kTile};
  }

  int64_t batch;
  Picture in, out;
  int64_t low_row, low_column, rows, columns, tiles, block = 0;
};

// The addresses of a square of a picture; `outside` for places beyond its edges.
template <int64_t Size>
std::array<const float*, static_cast<size_t>(Size* Size)> square(const float* pictures,
                                                                 const Picture& picture, int64_t number,
                                                                 int64_t row, int64_t column,
                                                                 const float* outside) {
  std::array<const float*, static_cast<size_t>(Size * Size)> places;
  const float* first = pictures + number * picture.elements();
  for (int64_t i = 0; i < Size; ++i)
    for (int64_t j = 0; j < Size; ++j) {
      const int64_t r = row + i, c = column + j;
      const bool inside = r >= 0 && r < picture.rows && c >= 0 && c < picture.columns;
      places[static_cast<size_t>(i * Size + j)] =
          inside ? first + (r * picture.columns + c) * picture.channels : outside;
    }
  return places;
}

// [panels][depth][panel] for each plane.
struct Panels {
  Panels(int64_t depth, int64_t columns)
      : depth(depth),
        columns(columns),
        count(divided_up(columns, width)),
        plane(plane_step(count * depth * width)) {}
  int64_t width = product_panel(), depth, columns, count, plane;
  int64_t elements() const { return kPlanes * plane; }
  int64_t columns_of(int64_t panel) const { return std::min(width, columns - panel * width); }
  WinogradPlace row(float* start, int64_t k) const {
    return {start + k * width, plane, width, depth * width};
  }
};

// Parts of the scratch buffer, in floats.
float* part(void* const* buffers, int scratch, int64_t offset) {
  return reinterpret_cast<float*>(static_cast<std::byte*>(buffers[scratch]) + offset);
}

class WinogradKernel : public Kernel {
 public:
  int64_t scratch_bytes() const override { return plan_.bytes(); }
  std::string_view method() const override { return "winograd"; }

 protected:
  explicit WinogradKernel(const Tiling& tiling)
      : tiling_(tiling), zeros_(static_cast<size_t>(std::max(tiling.in.channels, tiling.out.channels))) {}

  int64_t take(int64_t elements) { return plan_.take(elements * 4); }

  // The transformed patches of the tiles from `first` on: [planes][count][channels].
  void transform_patches(const float* x, int64_t first, int64_t count, float* patches) const {
    const int64_t channels = tiling_.in.channels;
    parallel_tasks(count, count * channels * kPlanes, [&](int64_t i) {
      const Tiling::At at = tiling_.at(first + i);
      const auto places = square<kWinogradPatch>(x, tiling_.in, at.picture, at.row - tiling_.low_row,
                                                 at.column - tiling_.low_column, zeros_.data());
      winograd_transforms().patch(places.data(), channels,
                                  {patches + i * channels, patch_plane_, channels, 0});
    });
  }

  const Tiling tiling_;
  const std::vector<float> zeros_;
  const int64_t patch_plane_ = plane_step(tiling_.block * tiling_.in.channels);

 private:
  ScratchPlan plan_;
};

// y = x * w; or, transposed, the gradient of the input: the same with the windows turned around and the
// channels of w exchanged.
class WinogradConvolution : public WinogradKernel {
 public:
  struct Slots {
    int x, w, y, bias, scratch;  // bias: -1 if there is none
  };
  struct Post {
    int operand;  // slot; -1: a clip
    float low, high;
  };

  WinogradConvolution(const Tiling& tiling, bool transposed, const Slots& slots, std::vector<Post> posts,
                      int threads)
      : WinogradKernel(tiling),
        transposed_(transposed),
        slots_(slots),
        posts_(std::move(posts)),
        panels_(tiling.in.channels, tiling.out.channels) {
    weights_ = take(panels_.elements());
    patches_ = take(kPlanes * patch_plane_);
    sums_ = take(kPlanes * sum_plane_);
    if (transposed_) rows_ = take(threads * row_elements());
  }

  void run(void* const* buffers, KernelState*) const override {
    const auto* x = static_cast<const float*>(buffers[slots_.x]);
    const auto* w = static_cast<const float*>(buffers[slots_.w]);
    float* weights = part(buffers, slots_.scratch, weights_);
    float* patches = part(buffers, slots_.scratch, patches_);
    float* sums = part(buffers, slots_.scratch, sums_);
    if (transposed_) {
      transform_transposed(w, weights, part(buffers, slots_.scratch, rows_));
    } else {
      transform_weights(w, weights);
    }
    for (int64_t first = 0; first < tiling_.tiles; first += tiling_.block) {
      const int64_t count = std::min(tiling_.block, tiling_.tiles - first);
      transform_patches(x, first, count, patches);
      multiply_planes(patches, weights, count, sums);
      write_results(sums, first, count, buffers);
    }
  }

 private:
  static constexpr int64_t kRows = 16;  // of weights that are transposed at a time
  int64_t row_elements() const { return kPlanes * kRows * panels_.width; }

  // w: [taps][in][out] of this product.
  void transform_weights(const float* w, float* weights) const {
    const int64_t in = tiling_.in.channels, out = tiling_.out.channels;
    parallel_tasks(in, in * out * kPlanes, [&](int64_t c) {
      std::array<const float*, kTaps> taps;
      for (int64_t t = 0; t < kTaps; ++t) taps[static_cast<size_t>(t)] = w + (t * in + c) * out;
      winograd_transforms().weights(taps.data(), out, panels_.row(weights, c));
    });
  }

  // w: [taps][out][in] of this product.
  void transform_transposed(const float* w, float* weights, float* all_rows) const {
    const int64_t in = tiling_.in.channels, out = tiling_.out.channels, width = panels_.width;
    parallel_tasks(out / kRows, in * out * kPlanes, [&](int64_t task) {
      float* rows = all_rows + omp_get_thread_num() * row_elements();
      const int64_t column = task * kRows;
      float* to = weights + column / width * in * width + column % width;
      for (int64_t k = 0; k < in; k += width) {
        const int64_t some = std::min(width, in - k);
        for (int64_t r = 0; r < kRows; ++r) {
          std::array<const float*, kTaps> taps;
          for (int64_t t = 0; t < kTaps; ++t)
            taps[static_cast<size_t>(kTaps - 1 - t)] = w + (t * out + column + r) * in + k;
          winograd_transforms().weights(taps.data(), some, {rows + r * width, kRows * width, width, 0});
        }
        for (int64_t p = 0; p < kPlanes; ++p)
          transpose_tile(reinterpret_cast<const uint32_t*>(rows + p * kRows * width), width,
                         reinterpret_cast<uint32_t*>(to + p * panels_.plane + k * width), width, some, kRows);
      }
    });
  }

  void multiply_planes(const float* patches, const float* weights, int64_t count, float* sums) const {
    const int64_t in = tiling_.in.channels, out = tiling_.out.channels;
    parallel_tasks(kPlanes * panels_.count, kPlanes * count * in * out, [&](int64_t task) {
      const int64_t p = task / panels_.count, j = task % panels_.count;
      multiply({.a = patches + p * patch_plane_,
                .a_row = in,
                .a_depth = 1,
                .b = weights + p * panels_.plane + j * in * panels_.width,
                .c = sums + p * sum_plane_ + j * panels_.width,
                .c_row = out,
                .rows = count,
                .columns = panels_.columns_of(j),
                .depth = in});
    });
  }

  void write_results(const float* sums, int64_t first, int64_t count, void* const* buffers) const {
    const Picture& out = tiling_.out;
    std::array<WinogradPost, kMostPosts> posts;
    for (size_t i = 0; i < posts_.size(); ++i) {
      const auto& [operand, low, high] = posts_[i];
      posts[i] = {operand < 0 ? nullptr : static_cast<const float*>(buffers[operand]), low, high};
    }
    WinogradResult result{.y = static_cast<float*>(buffers[slots_.y]),
                          .offsets = {},
                          .bias = slots_.bias < 0 ? nullptr : static_cast<const float*>(buffers[slots_.bias]),
                          .posts = posts.data(),
                          .post_count = static_cast<int64_t>(posts_.size())};
    parallel_tasks(count, count * out.channels * kPlanes, [&, result](int64_t i) {
      const Tiling::At at = tiling_.at(first + i);
      WinogradResult here = result;
      for (int64_t place = 0; place < kTile * kTile; ++place) {
        const int64_t row = at.row + place / kTile, column = at.column + place % kTile;
        here.offsets[static_cast<size_t>(place)] =
            row < out.rows && column < out.columns
                ? at.picture * out.elements() + (row * out.columns + column) * out.channels
                : -1;
      }
      winograd_transforms().result(sums + i * out.channels, sum_plane_, out.channels, here);
    });
  }

 public:
  static constexpr size_t kMostPosts = 8;

 private:
  bool transposed_;
  Slots slots_;
  std::vector<Post> posts_;
  Panels panels_;
  const int64_t sum_plane_ = plane_step(tiling_.block * tiling_.out.channels);
  int64_t weights_ = 0, patches_ = 0, sums_ = 0, rows_ = 0;
};

// The gradient of the weights: sums over tiles, block after block.
class WinogradWeightGradient : public WinogradKernel {
 public:
  struct Slots {
    int x, dy, dw, scratch;
  };
  WinogradWeightGradient(const Tiling& tiling, const Slots& slots)
      : WinogradKernel(tiling), slots_(slots), panels_(tiling.block, tiling.out.channels) {
    patches_ = take(kPlanes * patch_plane_);
    spread_ = take(panels_.elements());
    sums_ = take(kPlanes * sum_plane_);
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
    parallel_tasks(count, count * out.channels * kPlanes, [&](int64_t i) {
      const Tiling::At at = tiling_.at(first + i);
      const auto places = square<kTile>(dy, out, at.picture, at.row, at.column, zeros_.data());
      winograd_transforms().spread(places.data(), out.channels, panels_.row(spread, i));
    });
  }

  void add_planes(const float* patches, const float* spread, bool adds, int64_t count, float* sums) const {
    const int64_t in = tiling_.in.channels, out = tiling_.out.channels;
    parallel_tasks(kPlanes * panels_.count, kPlanes * count * in * out, [&](int64_t task) {
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
    parallel_tasks(in, in * out * kPlanes, [&](int64_t c) {
      std::array<float*, kTaps> taps;
      for (int64_t t = 0; t < kTaps; ++t) taps[static_cast<size_t>(t)] = dw + (t * in + c) * out;
      winograd_transforms().gradient(sums + c * out, sum_plane_, out, taps.data());
    });
  }

  Slots slots_;
  Panels panels_;
  const int64_t sum_plane_ = plane_step(tiling_.in.channels * tiling_.out.channels);
  int64_t patches_ = 0, spread_ = 0, sums_ = 0;
};

std::optional<std::vector<WinogradConvolution::Post>> posts_of(const KernelRequest& request,
                                                               const Fusion& fusion) {
  std::vector<WinogradConvolution::Post> posts;
  for (const PostOp& post : fusion.posts) {
    const auto number = [](double value) { return static_cast<float>(value); };
    if (post.kind == PostOp::relu) {
      posts.push_back({-1, 0, std::numeric_limits<float>::infinity()});
    } else if (post.kind == PostOp::clip) {
      posts.push_back({-1, number(post.low), number(post.high)});
    } else if (post.kind == PostOp::add) {
      posts.push_back({position(request.inputs, post.operand), 0, 0});
    } else {
      return std::nullopt;
    }
  }
  if (posts.size() > WinogradConvolution::kMostPosts) return std::nullopt;
  return posts;
}

std::unique_ptr<Kernel> make_forward(const KernelRequest& request, const Convolution& conv, int weights) {
  const Fusion fusion = read_fusion(request.graph, request.cluster);
  const Node& node = request.graph.nodes()[static_cast<size_t>(fusion.node)];
  auto posts = posts_of(request, fusion);
  if (!posts || (fusion.bias && request.graph.type(fusion.bias).dtype != DType::f32)) return nullptr;
  const Slots slots(request);
  return std::make_unique<WinogradConvolution>(
      Tiling(conv.x, conv.y, conv.low[0], conv.low[1]), false,
      WinogradConvolution::Slots{.x = position(request.inputs, node.inputs[0]),
                                 .w = weights,
                                 .y = slots.output,
                                 .bias = fusion.bias ? position(request.inputs, fusion.bias) : -1,
                                 .scratch = slots.scratch},
      std::move(*posts), request.threads);
}

}  // namespace

int64_t winograd_weight_layout() {
  static const int64_t id = *encode({.rank = 4, .order = {2, 3, 1, 0}});
  return id;
}

bool winograd_pays(const Convolution& conv) {
  const bool fits = conv.dtype == DType::f32 && conv.gradient == DType::f32 && conv.x.rank() == 4 &&
                    conv.groups == 1 && conv.w.size(2) == 3 && conv.w.size(3) == 3 &&
                    conv.strides == Ints{1, 1} && conv.dilations == Ints{1, 1} && conv.w.size(0) % 16 == 0 &&
                    conv.w.size(1) % 16 == 0 && std::max(conv.low[0], conv.low[1]) <= 2;
  if (!fits) return false;
  const auto out = static_cast<double>(conv.w.size(0)), in = static_cast<double>(conv.w.size(1));
  const auto places = static_cast<double>(conv.x.size(0) * conv.y.size(2) * conv.y.size(3));
  const auto tiles = static_cast<double>(conv.x.size(0) * divided_up(conv.y.size(2), kTile) *
                                         divided_up(conv.y.size(3), kTile));
  // In operations of a product at full speed: a number that goes through a cache costs about 32 of them.
  const double direct = 2 * kTaps * places * in * out;
  const double products = 1.2 * 2 * kPlanes * tiles * in * out;
  const double transforms = 2 * 32 * kPlanes * (tiles * (in + out) + in * out);
  return products + transforms < 0.85 * direct;
}

std::unique_ptr<Kernel> make_winograd(const KernelRequest& request, const Convolution& conv) {
  if (!winograd_pays(conv)) return nullptr;
  const Node& node = request.graph.nodes()[static_cast<size_t>(request.cluster.nodes[0])];
  const std::string_view name = node.op->name;
  const Slots slots(request);
  if (name == "conv_weight_grad") {
    if (request.output_layouts[0] != winograd_weight_layout()) return nullptr;
    return std::make_unique<WinogradWeightGradient>(
        Tiling(conv.x, conv.y, conv.low[0], conv.low[1]),
        WinogradWeightGradient::Slots{.x = position(request.inputs, node.inputs[0]),
                                      .dy = position(request.inputs, node.inputs[1]),
                                      .dw = slots.output,
                                      .scratch = slots.scratch});
  }
  const Value source = weights_of(request.graph, node);
  const int weights = position(request.inputs, source);
  if (request.graph.type(source).dtype != DType::f32 ||
      request.input_layouts[static_cast<size_t>(weights)] != winograd_weight_layout())
    return nullptr;
  if (name != "conv_input_grad") return make_forward(request, conv, weights);
  return std::make_unique<WinogradConvolution>(
      Tiling(conv.y, conv.x, 2 - conv.low[0], 2 - conv.low[1]), true,
      WinogradConvolution::Slots{.x = position(request.inputs, node.inputs[0]),
                                 .w = weights,
                                 .y = slots.output,
                                 .bias = -1,
                                 .scratch = slots.scratch},
      std::vector<WinogradConvolution::Post>(), request.threads);
}

}  // namespace temper::cpu
