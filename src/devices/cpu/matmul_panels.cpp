#include "devices/cpu/matmul_panels.h"

#include <algorithm>
#include <cstring>

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
constexpr int64_t kFewRows = 192;   // with no more of them each thread has panels of its own
constexpr int64_t kLittle = 32768;  // elements of y that each thread packs for itself, rather than wait
constexpr int64_t kMany = 128;      // rows and columns for which x is laid out strip by strip

// Mostly of kMost elements, which takes no call.
template <int64_t kMost>
void copy_up_to(const float* from, int64_t count, float* to) {
  if (count == kMost) {
    std::memcpy(to, from, kMost * sizeof(float));
  } else {
    std::copy_n(from, count, to);
  }
}

class PanelKernel : public Kernel {
 public:
  PanelKernel(const KernelRequest& request, const Fusion& fusion, const PanelMatmul& product)
      : p_(product), panel_(product_panel()), threads_(request.threads) {
    const Slots slots(request);
    z_slot_ = slots.output, scratch_slot_ = slots.scratch;
    if (fusion.bias) bias_slot_ = position(request.inputs, fusion.bias);
    follows_ = FollowSteps(plain_follows(fusion), request);
    // Sums depend on blocks of depth alone, so rows and columns may be shared as suits the team.
    few_rows_ = p_.rows <= kFewRows;
    depth_ = p_.depth <= 2 * kDepth ? p_.depth : kDepth;
    const int64_t share = divided_up(divided_up(p_.rows, threads_), kStrip) * kStrip;
    rows_ = few_rows_ ? divided_up(p_.rows, kStrip) * kStrip : std::min(share, kRows);
    packs_own_ =
        few_rows_ || (p_.depth == depth_ && p_.columns <= kColumns && depth_ * p_.columns <= kLittle);
    packs_ = p_.x[1] != 1 || (p_.columns >= kMany && p_.rows >= kMany);
  }

  int64_t scratch_bytes() const override {
    return 4 * ((packs_own_ ? threads_ : 1) * panels_elements() + threads_ * member_elements());
  }

  void run(void* const* buffers, KernelState*) const override {
    if (few_rows_) return share_columns(buffers);
    for (int64_t column = 0; column < p_.columns; column += kColumns) {
      const int64_t columns = std::min(kColumns, p_.columns - column);
      for (int64_t k = 0; k < p_.depth; k += depth_)
        share_rows(buffers, {column, columns, k, std::min(depth_, p_.depth - k)});
    }
  }

 private:
  struct Block {
    int64_t column, columns, k, depth;
  };

  // [panels][depth][panel], perhaps for each thread; of each thread strips of x, and the results of a panel
  // that is not whole.
  int64_t panels_elements() const {
    return (few_rows_ ? 1 : divided_up(std::min(kColumns, p_.columns), panel_)) * panel_ * depth_;
  }
  int64_t strips_elements() const { return packs_ ? rows_ / kStrip * strip_step(depth_) : 0; }
  int64_t member_elements() const {
    return strips_elements() + (p_.columns % panel_ == 0 ? 0 : rows_ * panel_);
  }
  float* panels_of(void* const* buffers, int64_t member) const {
    return static_cast<float*>(buffers[scratch_slot_]) + (packs_own_ ? member : 0) * panels_elements();
  }
  float* own(void* const* buffers, int64_t member) const {
    return panels_of(buffers, packs_own_ ? threads_ : 0) + (packs_own_ ? 0 : panels_elements()) +
           member * member_elements();
  }

  // Panel j of a block: y's columns from j * panel_ on.
  void pack_panel(void* const* buffers, const Block& block, int64_t j, float* to) const {
    const float* from = static_cast<const float*>(buffers[p_.y_slot]) + block.k * p_.y[0] +
                        (block.column + j * panel_) * p_.y[1];
    const int64_t some = std::min(panel_, block.columns - j * panel_);
    if (some < panel_) std::fill_n(to, block.depth * panel_, 0.0F);
    if (p_.y[1] == 1) {
      for (int64_t k = 0; k < block.depth; ++k) copy_up_to<16>(from + k * p_.y[0], some, to + k * panel_);
    } else {
      transpose_tile(reinterpret_cast<const uint32_t*>(from), p_.y[1], reinterpret_cast<uint32_t*>(to),
                     panel_, block.depth, some);
    }
  }

  // Each thread its own panels, all rows.
  void share_columns(void* const* buffers) const {
    const int64_t panels = divided_up(p_.columns, panel_);
    parallel_by_member(panels, p_.rows * p_.columns * p_.depth,
                       [&](int64_t begin, int64_t end, int64_t member) {
                         float *panel = panels_of(buffers, member), *mine = own(buffers, member);
                         for (int64_t k = 0; k < p_.depth; k += depth_) {
                           const Block block{0, p_.columns, k, std::min(depth_, p_.depth - k)};
                           const float* x = x_rows(buffers, block, 0, p_.rows, mine);
                           for (int64_t j = begin; j < end; ++j) {
                             pack_panel(buffers, block, j, panel);
                             multiply_panel(buffers, block, j, {0, p_.rows, x, panel}, mine);
                           }
                         }
                       });
  }

  // Each thread its own rows, all panels of a block.
  void share_rows(void* const* buffers, const Block& block) const {
    const int64_t panels = divided_up(block.columns, panel_), work = p_.rows * block.columns * block.depth;
    const auto pack = [&](int64_t j, float* to) {
      pack_panel(buffers, block, j, to + j * panel_ * block.depth);
    };
    if (!packs_own_)
      parallel_tasks(panels, block.depth * block.columns, [&](int64_t j) { pack(j, panels_of(buffers, 0)); });
    parallel_by_member(divided_up(p_.rows, rows_), work, [&](int64_t begin, int64_t end, int64_t member) {
      float *packed = panels_of(buffers, member), *mine = own(buffers, member);
      for (int64_t j = 0; packs_own_ && j < panels; ++j) pack(j, packed);
      for (int64_t row = begin * rows_; row < std::min(end * rows_, p_.rows); row += rows_) {
        const int64_t rows = std::min(rows_, p_.rows - row);
        const float* x = x_rows(buffers, block, row, rows, mine);
        for (int64_t j = 0; j < panels; ++j)
          multiply_panel(buffers, block, j, {row, rows, x, packed + j * panel_ * block.depth}, mine);
      }
    });
  }

  struct Share {
    int64_t row, rows;
    const float *x, *panel;  // as x_rows and pack_panel give them
  };

  // Rows of x, as they lie or strip by strip in `own`.
  const float* x_rows(void* const* buffers, const Block& block, int64_t row, int64_t rows, float* own) const {
    const float* x = static_cast<const float*>(buffers[p_.x_slot]) + row * p_.x[0] + block.k * p_.x[1];
    if (!packs_) return x;
    put_strips(x, rows, block.depth, own);
    return own;
  }

  void multiply_panel(void* const* buffers, const Block& block, int64_t j, const Share& share,
                      float* own) const {
    const int64_t column = block.column + j * panel_, columns = std::min(panel_, p_.columns - column);
    float* z = static_cast<float*>(buffers[z_slot_]) + share.row * p_.z + column;
    const bool whole = columns == panel_;
    float* c = whole ? z : own + strips_elements();
    const int64_t c_row = whole ? p_.z : panel_;
    if (!whole && block.k > 0) copy_rows(z, p_.z, share.rows, columns, c, c_row);
    const PanelProduct product{.a = share.x,
                               .a_row = p_.x[0],
                               .a_depth = 1,
                               .b = share.panel,
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
        copy_up_to<kStrip>(x + row, std::min(kStrip, rows - row), to + row / kStrip * step + k * kStrip);
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
    if (bias_slot_ < 0 && follows_.empty()) return;
    FollowSteps::Room room;
    const std::span<const FollowStep> steps = follows_.bind(buffers, room);
    const float* bias = bias_slot_ < 0 ? nullptr : static_cast<const float*>(buffers[bias_slot_]) + column;
    follow_rows({.kind = FollowResult::f32,
                 .scales = nullptr,
                 .bias = bias,
                 .steps = steps.data(),
                 .step_count = static_cast<int64_t>(steps.size()),
                 .y = buffers[z_slot_],
                 .first = share.row * p_.z + column,
                 .row = p_.z},
                share.rows, columns);
  }

  const PanelMatmul p_;
  const int64_t panel_, threads_;
  int64_t rows_ = 0, depth_ = 0;                               // of a share, of a block
  bool few_rows_ = false, packs_ = false, packs_own_ = false;  // packs: x; packs own: each thread panels
  int z_slot_ = 0, scratch_slot_ = 0, bias_slot_ = -1;
  FollowSteps follows_;
};

}  // namespace

std::unique_ptr<Kernel> make_panel_matmul(const KernelRequest& request, const Fusion& fusion,
                                          const PanelMatmul& product) {
  return std::make_unique<PanelKernel>(request, fusion, product);
}

}  // namespace temper::cpu
