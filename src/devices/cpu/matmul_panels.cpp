#include "devices/cpu/matmul_panels.h"

#include <algorithm>
#include <limits>

#include "devices/cpu/kernels/follow.h"
#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/product.h"
#include "devices/cpu/kernels/transpose.h"
#include "devices/cpu/post_ops.h"

namespace temper::cpu {

namespace {

constexpr int64_t kDepth = 256;     // of a block: a panel of it stays in the nearest cache
constexpr int64_t kColumns = 1024;  // of a block, whose panels all threads read
constexpr int64_t kStrip = 6;       // rows of x that are multiplied together
constexpr int64_t kRows = 96;       // of x, while all panels pass by
constexpr int64_t kMany = 128;      // columns for which rows of x are laid side by side, strip by strip

int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct Step {
  FollowStep step;
  int buffer = -1;
};

Step step_of(const PostOp& post, const KernelRequest& request) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto number = [](double value) { return static_cast<float>(value); };
  switch (post.kind) {
    case PostOp::relu:
      return {{FollowStep::clip, 0, kInfinity, nullptr}};
    case PostOp::sigmoid:
      return {{FollowStep::sigmoid, 0, 0, nullptr}};
    case PostOp::tanh:
      return {{FollowStep::tanh, 0, 0, nullptr}};
    case PostOp::gelu:
      return {{FollowStep::gelu, 0, 0, nullptr}};
    case PostOp::gelu_tanh:
      return {{FollowStep::gelu_tanh, 0, 0, nullptr}};
    case PostOp::scale:
      return {{FollowStep::linear, number(post.factor), 0, nullptr}};
    case PostOp::add:
      return {{FollowStep::add_f32, 0, 0, nullptr}, position(request.inputs, post.operand)};
    default:
      return {{FollowStep::clip, number(post.low), number(post.high), nullptr}};
  }
}

class PanelKernel : public Kernel {
 public:
  PanelKernel(const KernelRequest& request, const Fusion& fusion, const PanelMatmul& product)
      : p_(product), panel_(product_panel()), threads_(request.threads) {
    const Slots slots(request);
    z_slot_ = slots.output, scratch_slot_ = slots.scratch;
    if (fusion.bias) bias_slot_ = position(request.inputs, fusion.bias);
    for (const PostOp& post : fusion.posts) steps_.push_back(step_of(post, request));
    // Sums depend on blocks of depth alone, so rows may be shared as suits the team.
    rows_ = std::clamp(divided_up(divided_up(p_.rows, threads_), kStrip) * kStrip, kStrip, kRows);
    packs_ = p_.x[1] != 1 || p_.columns >= kMany;
    column_shares_ = divided_up(p_.rows, rows_) < threads_ ? threads_ : 1;
  }

  int64_t scratch_bytes() const override {
    return 4 * (panels_elements() + threads_ * member_elements());
  }

  void run(void* const* buffers, KernelState*) const override {
    const auto* y = static_cast<const float*>(buffers[p_.y_slot]);
    auto* panels = static_cast<float*>(buffers[scratch_slot_]);
    for (int64_t column = 0; column < p_.columns; column += kColumns) {
      const int64_t columns = std::min(kColumns, p_.columns - column);
      for (int64_t k = 0; k < p_.depth; k += kDepth) {
        const int64_t depth = std::min(kDepth, p_.depth - k);
        pack_panels(y + k * p_.y[0] + column * p_.y[1], depth, columns, panels);
        multiply_block(buffers, panels, {column, columns, k, depth});
      }
    }
  }

 private:
  struct Block {
    int64_t column, columns, k, depth;
  };

  // [panels][depth][panel], then of each thread: strips of x, and the results of a panel that is not whole.
  int64_t most_depth() const { return std::min(kDepth, p_.depth); }
  int64_t panels_elements() const {
    return divided_up(std::min(kColumns, p_.columns), panel_) * panel_ * most_depth();
  }
  int64_t strips_elements() const { return packs_ ? rows_ / kStrip * strip_step(most_depth()) : 0; }
  int64_t member_elements() const {
    return strips_elements() + (p_.columns % panel_ == 0 ? 0 : rows_ * panel_);
  }

  void pack_panels(const float* y, int64_t depth, int64_t columns, float* panels) const {
    parallel_tasks(divided_up(columns, panel_), depth * columns, [&](int64_t j) {
      float* to = panels + j * panel_ * depth;
      const float* from = y + j * panel_ * p_.y[1];
      const int64_t some = std::min(panel_, columns - j * panel_);
      if (some < panel_) std::fill_n(to, depth * panel_, 0.0F);
      if (p_.y[1] == 1) {
        for (int64_t k = 0; k < depth; ++k) std::copy_n(from + k * p_.y[0], some, to + k * panel_);
      } else {
        transpose_tile(reinterpret_cast<const uint32_t*>(from), p_.y[1], reinterpret_cast<uint32_t*>(to),
                       panel_, depth, some);
      }
    });
  }

  void multiply_block(void* const* buffers, const float* panels, const Block& block) const {
    const int64_t shares = divided_up(p_.rows, rows_), count = divided_up(block.columns, panel_);
    parallel_by_member(
        shares * column_shares_, p_.rows * block.columns * block.depth,
        [&](int64_t begin, int64_t end, int64_t member) {
          float* own = static_cast<float*>(buffers[scratch_slot_]) + panels_elements() + member * member_elements();
          for (int64_t task = begin; task < end; ++task) {
            const int64_t share = task % column_shares_, row = task / column_shares_ * rows_;
            const int64_t first = count * share / column_shares_, last = count * (share + 1) / column_shares_;
            multiply_rows(buffers, panels, block, {row, std::min(rows_, p_.rows - row), first, last}, own);
          }
        });
  }

  struct Share {
    int64_t row, rows, first, last;  // rows of x, panels of y
  };

  void multiply_rows(void* const* buffers, const float* panels, const Block& block, const Share& share,
                     float* own) const {
    const float* x = static_cast<const float*>(buffers[p_.x_slot]) + share.row * p_.x[0] + block.k * p_.x[1];
    if (packs_) put_strips(x, share.rows, block.depth, own);
    for (int64_t j = share.first; j < share.last; ++j) {
      const int64_t column = block.column + j * panel_, columns = std::min(panel_, p_.columns - column);
      float* z = static_cast<float*>(buffers[z_slot_]) + share.row * p_.z + column;
      const bool whole = columns == panel_;
      float* c = whole ? z : own + strips_elements();
      const int64_t c_row = whole ? p_.z : panel_;
      if (!whole && block.k > 0) copy_rows(z, p_.z, share.rows, columns, c, c_row);
      const PanelProduct product{.a = packs_ ? own : x,
                                 .a_row = p_.x[0],
                                 .a_depth = 1,
                                 .b = panels + j * panel_ * block.depth,
                                 .c = c,
                                 .c_row = c_row,
                                 .rows = share.rows,
                                 .columns = panel_,
                                 .depth = block.depth,
                                 .adds = block.k > 0};
      packs_ ? multiply_strips(product) : multiply(product);
      if (!whole) copy_rows(c, c_row, share.rows, columns, z, p_.z);
      if (block.k + block.depth == p_.depth) follow(buffers, share, column, columns);
    }
  }

  // [strips][depth][kStrip], strips at distances that are no multiple of a page.
  static int64_t strip_step(int64_t depth) { return kStrip * depth + 16; }
  void put_strips(const float* x, int64_t rows, int64_t depth, float* to) const {
    const int64_t step = strip_step(depth);
    if (p_.x[1] == 1) {
      for (int64_t strip = 0; strip < rows; strip += kStrip, to += step)
        transpose_tile(reinterpret_cast<const uint32_t*>(x + strip * p_.x[0]), p_.x[0],
                       reinterpret_cast<uint32_t*>(to), kStrip, depth, std::min(kStrip, rows - strip));
      return;
    }
    for (int64_t k = 0; k < depth; ++k, x += p_.x[1])
      for (int64_t row = 0; row < rows; row += kStrip)
        std::copy_n(x + row, std::min(kStrip, rows - row), to + row / kStrip * step + k * kStrip);
  }

  static void multiply_strips(PanelProduct product) {
    const int64_t rows = product.rows;
    product.a_row = 1, product.a_depth = kStrip;
    for (int64_t strip = 0; strip < rows; strip += kStrip) {
      product.rows = std::min(kStrip, rows - strip);
      multiply(product);
      product.a += strip_step(product.depth), product.c += kStrip * product.c_row;
    }
  }

  static void copy_rows(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to,
                        int64_t to_row) {
    for (int64_t r = 0; r < rows; ++r) std::copy_n(from + r * from_row, columns, to + r * to_row);
  }

  void follow(void* const* buffers, const Share& share, int64_t column, int64_t columns) const {
    if (bias_slot_ < 0 && steps_.empty()) return;
    std::array<FollowStep, 32> steps;
    for (size_t i = 0; i < steps_.size(); ++i) {
      steps[i] = steps_[i].step;
      if (steps_[i].buffer >= 0) steps[i].operand = buffers[steps_[i].buffer];
    }
    const float* bias = bias_slot_ < 0 ? nullptr : static_cast<const float*>(buffers[bias_slot_]) + column;
    follow_rows({.kind = FollowResult::f32,
                 .scales = nullptr,
                 .bias = bias,
                 .steps = steps.data(),
                 .step_count = static_cast<int64_t>(steps_.size()),
                 .y = buffers[z_slot_],
                 .first = share.row * p_.z + column,
                 .row = p_.z},
                share.rows, columns);
  }

  const PanelMatmul p_;
  const int64_t panel_, threads_;
  int64_t rows_ = 0, column_shares_ = 1;
  bool packs_ = false;  // rows of x
  int z_slot_ = 0, scratch_slot_ = 0, bias_slot_ = -1;
  std::vector<Step> steps_;
};

}  // namespace

std::unique_ptr<Kernel> make_panel_matmul(const KernelRequest& request, const Fusion& fusion,
                                          const PanelMatmul& product) {
  return std::make_unique<PanelKernel>(request, fusion, product);
}

}  // namespace temper::cpu
