// A convolution or matrix product of 8-bit integers by own loops. Windows become rows of bytes, blocks of
// them stay in a cache while all weights pass by.
#include <algorithm>
#include <cstring>

#include "devices/cpu/convolution.h"
#include "devices/cpu/integer_kernel.h"
#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/post_ops.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

// Whether some x in [0, 255] takes the sum of two products out of 16 bits.
bool may_leave(int x, int y) {
  const int above = std::max(x, 0) + std::max(y, 0), below = std::min(x, 0) + std::min(y, 0);
  return 255 * above > 32767 || 255 * below < -32768;
}

// Weights of one panel as IntegerPanel describes them.
class PackedPanel {
 public:
  // weight(k, column) for k < depth, a multiple of 4.
  template <class Weight>
  PackedPanel(int64_t depth, int64_t columns, int64_t vectors, const Weight& weight) : vectors_(vectors) {
    const int64_t width = vectors * integer_functions().lanes;
    std::vector<bool> wide(static_cast<size_t>(depth / 4), !integer_functions().quads);
    for (int64_t k = 0; k < depth; k += 2)
      for (int64_t j = 0; j < columns; ++j)
        if (may_leave(weight(k, j), weight(k + 1, j))) wide[static_cast<size_t>(k / 4)] = true;
    const auto wides = std::ranges::count(wide, true);
    quads_ = Tensor(Type{DType::i8, {(depth / 4 - wides) * width * 4}});
    wides_ = Tensor(Type{DType::i16, {wides * width * 4}});
    auto* quad = quads_.mutable_values<int8_t>().data();
    auto* both = wides_.mutable_values<int16_t>().data();
    for (int64_t k = 0; k < depth; k += 4) {
      const bool widens = wide[static_cast<size_t>(k / 4)];
      (widens ? wide_at_ : quad_at_).push_back(static_cast<int32_t>(k));
      for (int64_t j = 0; j < columns; ++j)
        for (int64_t i = 0; i < 4; ++i) {
          const int8_t w = weight(k + i, j);
          if (widens) {
            both[(i % 2 * width + j) * 2 + i / 2] = w;
          } else {
            quad[j * 4 + i] = w;
          }
        }
      both += widens ? width * 4 : 0;
      quad += widens ? 0 : width * 4;
    }
  }

  IntegerPanel view() const {
    return {.vectors = vectors_,
            .quads = quads_.values<int8_t>().data(),
            .quad_at = quad_at_.data(),
            .wides = wides_.values<int16_t>().data(),
            .wide_at = wide_at_.data(),
            .quad_count = static_cast<int64_t>(quad_at_.size()),
            .wide_count = static_cast<int64_t>(wide_at_.size())};
  }

 private:
  int64_t vectors_;
  Tensor quads_, wides_;  // columns that do not exist stay 0
  std::vector<int32_t> quad_at_, wide_at_;
};

// Of often a few bytes, which a call of memcpy would not pay for.
void copy_bytes(const uint8_t* from, int64_t count, uint8_t* to) {
  if (count >= 32) {
    std::memcpy(to, from, static_cast<size_t>(count));
  } else if (count >= 8) {  // the last eight overlap
    for (int64_t i = 0; i < count - 8; i += 8) std::memcpy(to + i, from + i, 8);
    std::memcpy(to + count - 8, from + count - 8, 8);
  } else {
    for (int64_t i = 0; i < count; ++i) to[i] = from[i];
  }
}

class Products : public IntegerKernel {
 public:
  explicit Products(IntegerParts parts)
      : IntegerKernel(std::move(parts)),
        depth_((p_.windows.depth() + 3) / 4 * 4),
        panels_(panels_of(p_.windows.out)),
        in_place_(p_.windows.is_plain() && p_.windows.in == depth_ && !p_.is_signed) {
    const int64_t rows = p_.windows.rows();
    block_ = std::clamp(kBlockBytes / depth_ / kRows * kRows, 4 * kRows, kMostRows);
    shares_rows_ = p_.threads == 1 || rows >= 2 * block_ * p_.threads || rows * depth_ > kSharedBytes;
    if (!shares_rows_) block_ = rows;
  }

  int64_t scratch_bytes() const override {
    return in_place_ ? 0 : (shares_rows_ ? p_.threads : 1) * block_bytes();
  }

  void run(void* const* buffers, KernelState*) const override {
    FollowSteps::Room room;
    const FollowResult to = result(buffers, room);
    const auto* x = static_cast<const uint8_t*>(buffers[p_.x]);
    auto* scratch = in_place_ ? nullptr : static_cast<uint8_t*>(buffers[p_.scratch]);
    for (int64_t group = 0; group < p_.windows.groups; ++group) {
      if (shares_rows_) {
        share_rows(x, group, to, scratch);
      } else {
        share_panels(x, group, to, scratch);
      }
    }
  }

 private:
  static constexpr int64_t kRows = 12, kMostRows = 192;
  static constexpr int64_t kBlockBytes = 128 << 10;   // of rows, while weights pass by
  static constexpr int64_t kSharedBytes = 512 << 10;  // rows that all threads read

  // Columns, and the vectors that hold them. Three vectors at a time are best, one alone is worst.
  struct Panel {
    int64_t first, columns, vectors;
  };
  static std::vector<Panel> panels_of(int64_t columns) {
    const int64_t lanes = integer_functions().lanes;
    std::vector<Panel> panels;
    for (int64_t first = 0; first < columns;) {
      const int64_t left = divided_up(columns - first, lanes);
      const int64_t vectors = left == 4 ? 2 : std::min(kMostVectors, left);
      panels.push_back({first, std::min(vectors * lanes, columns - first), vectors});
      first += vectors * lanes;
    }
    return panels;
  }
  int64_t block_bytes() const { return (block_ * depth_ + 63) / 64 * 64; }

  void pack() const override {
    const Windows& w = p_.windows;
    const auto weight = p_.weight();
    const auto count = static_cast<int64_t>(panels_.size());
    packed_.resize(static_cast<size_t>(w.groups * count));
    parallel_tasks(w.groups * count, w.groups * w.out * depth_, [&](int64_t task) {
      const Panel& panel = panels_[static_cast<size_t>(task % count)];
      const int64_t out = task / count * w.out + panel.first;
      packed_[static_cast<size_t>(task)].emplace(depth_, panel.columns, panel.vectors,
                                                 [&, depth = w.depth()](int64_t k, int64_t j) {
                                                   return k < depth ? weight(out + j, k) : int8_t{0};
                                                 });
    });
  }

  // Each thread its own rows, all panels.
  void share_rows(const uint8_t* x, int64_t group, const FollowResult& to, uint8_t* scratch) const {
    const int64_t rows = p_.windows.rows(), blocks = divided_up(rows, block_);
    parallel_by_member(blocks, rows * depth_, [&](int64_t begin, int64_t end, int64_t member) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * block_, count = std::min(block_, rows - first);
        const uint8_t* a = in_place_ ? x + first * depth_ : scratch + member * block_bytes();
        if (!in_place_) put_rows(x, group, first, count, scratch + member * block_bytes());
        for (size_t j = 0; j < panels_.size(); ++j) multiply(a, group, j, first, count, to);
      }
    });
  }

  // All rows at once, each thread its own panels.
  void share_panels(const uint8_t* x, int64_t group, const FollowResult& to, uint8_t* scratch) const {
    const int64_t rows = p_.windows.rows(), strips = in_place_ ? 0 : divided_up(rows, kRows);
    parallel_tasks(strips, rows * depth_, [&](int64_t strip) {
      const int64_t first = strip * kRows;
      put_rows(x, group, first, std::min(kRows, rows - first), scratch + first * depth_);
    });
    parallel_tasks(static_cast<int64_t>(panels_.size()), rows * depth_ * p_.windows.out, [&](int64_t j) {
      multiply(in_place_ ? x : scratch, group, static_cast<size_t>(j), 0, rows, to);
    });
  }

  void multiply(const uint8_t* a, int64_t group, size_t j, int64_t first, int64_t count,
                FollowResult to) const {
    const int64_t column = group * p_.windows.out + panels_[j].first;
    to.first = first * to.row + column;
    to.scales += column, to.bias += column;
    integer_functions().multiply({.a = a,
                                  .a_row = depth_,
                                  .panel = packed_[static_cast<size_t>(group) * panels_.size() + j]->view(),
                                  .rows = count,
                                  .columns = panels_[j].columns,
                                  .result = to});
  }

  // a: [count][depth_], the windows of rows from `first` on; signed numbers become unsigned by 128.
  void put_rows(const uint8_t* x, int64_t group, int64_t first, int64_t count, uint8_t* a) const {
    const Windows& w = p_.windows;
    if (w.is_plain() && w.in == depth_) {
      std::copy_n(x + first * depth_, count * depth_, a);
    } else {
      for (int64_t i = 0; i < count; ++i) {
        put_window(x, group, first + i, a + i * depth_);
        std::fill_n(a + i * depth_ + w.depth(), depth_ - w.depth(), uint8_t{0});
      }
    }
    if (p_.is_signed)
      for (int64_t i = 0; i < count * depth_; ++i) a[i] ^= 0x80;
  }

  void put_window(const uint8_t* x, int64_t group, int64_t row, uint8_t* to) const {
    const Windows& w = p_.windows;
    const Place from = w.place(row);
    const int64_t channels = w.groups * w.in;
    for (int64_t d = 0; d < w.w[0]; ++d)
      for (int64_t h = 0; h < w.w[1]; ++h, to += w.w[2] * w.in) {
        const int64_t z = from.at[0] + d * w.dilation[0], y = from.at[1] + h * w.dilation[1];
        if (z < 0 || z >= w.x[0] || y < 0 || y >= w.x[1]) {
          std::fill_n(to, w.w[2] * w.in, static_cast<uint8_t>(p_.zero));
        } else {
          const int64_t line = ((from.sample * w.x[0] + z) * w.x[1] + y) * w.x[2];
          put_line(x + line * channels + group * w.in, from.at[2], to);
        }
      }
  }

  // The taps along the last axis; where channels follow each other without gaps they are one piece.
  void put_line(const uint8_t* line, int64_t column, uint8_t* to) const {
    const Windows& w = p_.windows;
    const int64_t step = w.dilation[2], count = w.w[2], channels = w.groups * w.in;
    const auto zeros = [&](int64_t from, int64_t n) {
      std::fill_n(to + from * w.in, n * w.in, static_cast<uint8_t>(p_.zero));
    };
    if (step == 1 && w.groups == 1) {
      const int64_t begin = std::clamp<int64_t>(-column, 0, count),
                    end = std::clamp<int64_t>(w.x[2] - column, begin, count);
      zeros(0, begin);
      copy_bytes(line + (column + begin) * channels, (end - begin) * w.in, to + begin * w.in);
      return zeros(end, count - end);
    }
    for (int64_t k = 0; k < count; ++k) {
      const int64_t at = column + k * step;
      if (at < 0 || at >= w.x[2]) {
        zeros(k, 1);
      } else {
        copy_bytes(line + at * channels, w.in, to + k * w.in);
      }
    }
  }

  const int64_t depth_;
  const std::vector<Panel> panels_;  // of a group
  const bool in_place_;              // rows are x itself
  int64_t block_ = 0;                // rows
  bool shares_rows_ = true;
  mutable std::vector<std::optional<PackedPanel>> packed_;  // [groups][panels]
};

Windows windows_of(const Convolution& conv) {
  Windows all{.batch = conv.x.size(0),
              .groups = conv.groups,
              .in = conv.x.size(1) / conv.groups,
              .out = conv.w.size(0) / conv.groups};
  const auto axes = static_cast<size_t>(conv.x.rank()) - 2;
  for (size_t i = 0; i < axes; ++i) {
    const size_t to = all.x.size() - axes + i;
    const int axis = static_cast<int>(i) + 2;
    all.x[to] = conv.x.size(axis), all.w[to] = conv.w.size(axis), all.y[to] = conv.y.size(axis);
    all.stride[to] = conv.strides[i], all.dilation[to] = conv.dilations[i];
    all.low[to] = conv.low[i];
  }
  return all;
}

}  // namespace

std::unique_ptr<Kernel> make_integer_products(const KernelRequest& request, const Fusion& fusion,
                                              const Factors& factors) {
  const Node& node = request.graph.nodes()[static_cast<size_t>(fusion.node)];
  const Slots slots(request);
  const Follows follows(fusion);
  const DType dtype = request.graph.type(fusion.result).dtype;
  IntegerParts parts{.weights = integers_around_zero(request.graph, factors.weights),
                     .is_signed = factors.x.scaling.dtype == DType::i8,
                     .zero = factors.x.scaling.zero,
                     .numbers = {},
                     .follows = FollowSteps(follows.steps, request),
                     .kind = dtype == DType::u8   ? FollowResult::u8
                             : dtype == DType::i8 ? FollowResult::i8
                                                  : FollowResult::f32,
                     .x = position(request.inputs, factors.x.integers),
                     .y = slots.output,
                     .scratch = slots.scratch,
                     .threads = request.threads};
  if (node.op->name == "conv2d") {
    parts.windows = windows_of(*convolution_of(request.graph, node));
  } else {
    const Shape& x = request.graph.type(factors.x.integers).shape;
    parts.windows.in = x.size(x.rank() - 1);
    parts.windows.batch = x.elements() / parts.windows.in;
    parts.windows.out = node.outputs[0].shape.elements() / parts.windows.batch;
    parts.turned = factors.channel_axis == 1;
  }
  Factors seen = factors;
  if (parts.is_signed && !parts.is_depthwise()) seen.x.scaling.zero += 128;  // as rows hold them
  parts.numbers = numbers_of(request.graph, seen, parts.weights, follows.first, true);
  if (parts.is_depthwise()) return make_integer_depthwise(std::move(parts));
  return std::make_unique<Products>(std::move(parts));
}

}  // namespace temper::cpu
