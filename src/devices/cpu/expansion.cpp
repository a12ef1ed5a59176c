#include "devices/cpu/expansion.h"

#include <algorithm>
#include <array>
#include <limits>

#include "devices/cpu/convolution.h"
#include "devices/cpu/fusion.h"
#include "devices/cpu/kernels/depthwise.h"
#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/product.h"
#include "devices/cpu/kernels/transpose.h"
#include "devices/cpu/post_ops.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

constexpr int64_t kLeast = 1 << 20;  // numbers of a picture in between: fewer stay in a cache anyway
constexpr int64_t kMostDepth = 64;   // of the first, whose x is read once for each panel of channels
constexpr int64_t kMostRows = 7;     // of a window
constexpr int64_t kLeastRows = 14;   // of a band: neighbours compute the rows between them twice
constexpr int64_t kPanel = 16;       // channels: the rows of a window stay in the nearest cache

bool all_are(const Ints& values, int64_t wanted) {
  return std::ranges::all_of(values, [&](int64_t value) { return value == wanted; });
}

// What follows a sum, if that is a bias and bounds.
struct Bounds {
  float low = -std::numeric_limits<float>::infinity(), high = std::numeric_limits<float>::infinity();
};

std::optional<Bounds> bounds_of(const Fusion& fusion) {
  Bounds bounds;
  for (const PostOp& post : fusion.posts) {
    if (post.kind == PostOp::relu) {
      bounds = {std::max(bounds.low, 0.0F), std::max(bounds.high, 0.0F)};
    } else if (post.kind == PostOp::clip) {
      const auto low = static_cast<float>(post.low), high = static_cast<float>(post.high);
      bounds = {std::min(std::max(bounds.low, low), high), std::min(std::max(bounds.high, low), high)};
    } else {
      return std::nullopt;
    }
  }
  return bounds;
}

std::optional<Convolution> simple_convolution(const Graph& graph, const Cluster& cluster) {
  const Node& node = graph.nodes()[static_cast<size_t>(cluster.nodes[0])];
  if (node.op->name != "conv2d" || runs_on_integers(graph, node)) return std::nullopt;
  const std::optional<Convolution> conv = convolution_of(graph, node);
  const Fusion fusion = read_fusion(graph, cluster);
  const bool known = conv && conv->dtype == DType::f32 && conv->x.rank() == 4 &&
                     all_are(conv->dilations, 1) && bounds_of(fusion);
  return known ? conv : std::nullopt;
}

struct Half {
  int weights, bias;  // buffers of a launch; bias: -1 if there is none
  Bounds bounds;
};

Half half_of(const KernelRequest& request, const Cluster& cluster) {
  const Fusion fusion = read_fusion(request.graph, cluster);
  const Node& node = request.graph.nodes()[static_cast<size_t>(fusion.node)];
  return {position(request.inputs, node.inputs[1]), fusion.bias ? position(request.inputs, fusion.bias) : -1,
          *bounds_of(fusion)};
}

class ExpansionKernel : public Kernel {
 public:
  ExpansionKernel(const KernelRequest& request, const std::vector<Cluster>& parts)
      : first_(*simple_convolution(request.graph, parts[0])),
        second_(*simple_convolution(request.graph, parts[1])),
        expand_(half_of(request, parts[0])),
        window_(half_of(request, parts[1])),
        threads_(request.threads) {
    const Slots slots(request);
    y_ = slots.output, scratch_ = slots.scratch;
    x_ = position(request.inputs, request.graph.nodes()[static_cast<size_t>(parts[0].nodes[0])].inputs[0]);
    panels_ = channels() / kPanel;
    bands_ =
        first_.x.size(0) >= threads_ ? 1 : std::clamp<int64_t>(second_.y.size(2) / kLeastRows, 1, threads_);
  }

  int64_t scratch_bytes() const override { return 4 * threads_ * own_floats(); }

  void run(void* const* buffers, KernelState*) const override {
    const int64_t work = first_.y.elements() * depth();
    parallel_by_member(
        first_.x.size(0) * bands_ * panels_, work, [&](int64_t begin, int64_t end, int64_t member) {
          float* own = static_cast<float*>(buffers[scratch_]) + member * own_floats();
          for (int64_t task = begin; task < end; ++task)
            run_part(buffers, task / panels_ / bands_, task / panels_ % bands_, task % panels_, own);
        });
  }

 private:
  int64_t channels() const { return first_.w.size(0); }
  int64_t depth() const { return first_.w.size(1); }
  int64_t taps() const { return second_.w.size(2) * second_.w.size(3); }
  int64_t line_floats() const { return first_.x.size(3) * kPanel; }
  // Weights of a panel of channels, and as many lines of it as a window has rows.
  int64_t own_floats() const {
    return depth() * product_panel() + taps() * kPanel + second_.w.size(2) * line_floats();
  }

  // Of one panel of channels, in memory of the thread's own.
  struct Panel {
    int64_t first;  // channel
    float *weights, *window, *lines;
    const float *bias, *window_bias;  // or null
  };

  Panel pack(void* const* buffers, int64_t panel, float* own) const {
    const int64_t first = panel * kPanel;
    const auto bias = [&](int buffer) {
      return buffer < 0 ? nullptr : static_cast<const float*>(buffers[buffer]) + first;
    };
    Panel p{.first = first,
            .weights = own,
            .window = own + depth() * product_panel(),
            .lines = own + depth() * product_panel() + taps() * kPanel,
            .bias = bias(expand_.bias),
            .window_bias = bias(window_.bias)};
    transposed(buffers, expand_.weights, first, depth(), product_panel(), p.weights);
    transposed(buffers, window_.weights, first, taps(), kPanel, p.window);
    return p;
  }

  // Weights of a panel, [channels][count], as [count][step].
  static void transposed(void* const* buffers, int weights, int64_t first, int64_t count, int64_t step,
                         float* to) {
    const float* from = static_cast<const float*>(buffers[weights]) + first * count;
    transpose_tile(reinterpret_cast<const uint32_t*>(from), count, reinterpret_cast<uint32_t*>(to), step,
                   count, kPanel);
  }

  void run_part(void* const* buffers, int64_t picture, int64_t band, int64_t panel, float* own) const {
    const Panel p = pack(buffers, panel, own);
    const int64_t rows = second_.w.size(2), height = first_.x.size(2), out = second_.y.size(2);
    const int64_t begin = out * band / bands_, end = out * (band + 1) / bands_;
    std::array<const float*, kMostRows> lines{};
    for (int64_t row = begin, made = 0; row < end; ++row) {
      const int64_t top = row * second_.strides[0] - second_.low[0];
      for (made = std::max(made, top); made < std::min(top + rows, height); ++made)
        make_line(buffers, picture, made, p);
      for (int64_t i = 0; i < rows; ++i)
        lines[static_cast<size_t>(i)] =
            top + i < 0 || top + i >= height ? nullptr : p.lines + (top + i) % rows * line_floats();
      const int64_t place = (picture * out + row) * second_.y.size(3);
      depthwise_line({.lines = lines.data(),
                      .rows = rows,
                      .taps = second_.w.size(3),
                      .width = first_.x.size(3),
                      .stride = second_.strides[1],
                      .before = second_.low[1],
                      .places = second_.y.size(3),
                      .channels = kPanel,
                      .y_step = channels(),
                      .weights = p.window,
                      .bias = p.window_bias,
                      .low = window_.bounds.low,
                      .high = window_.bounds.high},
                     static_cast<float*>(buffers[y_]) + place * channels() + p.first);
    }
  }

  void make_line(void* const* buffers, int64_t picture, int64_t row, const Panel& p) const {
    const int64_t width = first_.x.size(3), place = (picture * first_.x.size(2) + row) * width;
    const PanelFinish finish{.bias = p.bias, .low = expand_.bounds.low, .high = expand_.bounds.high};
    multiply({.a = static_cast<const float*>(buffers[x_]) + place * depth(),
              .a_row = depth(),
              .a_depth = 1,
              .b = p.weights,
              .c = p.lines + row % second_.w.size(2) * line_floats(),
              .c_row = kPanel,
              .rows = width,
              .columns = kPanel,
              .depth = depth(),
              .finish = &finish});
  }

  const Convolution first_, second_;
  const Half expand_, window_;
  const int threads_;
  int64_t panels_ = 0, bands_ = 0;
  int x_ = 0, y_ = 0, scratch_ = 0;
};

}  // namespace

bool is_expansion(const Graph& graph, const Cluster& first, const Cluster& second) {
  const std::optional<Convolution> expand = simple_convolution(graph, first),
                                   window = simple_convolution(graph, second);
  if (!expand || !window) return false;
  const bool widens = expand->groups == 1 && expand->w.size(2) == 1 && expand->w.size(3) == 1 &&
                      all_are(expand->strides, 1) && all_are(expand->low, 0) && all_are(expand->high, 0) &&
                      expand->w.size(1) <= kMostDepth && expand->w.size(0) % kPanel == 0;
  const int64_t channels = window->w.size(0), picture = window->x.elements() / window->x.size(0);
  return widens && window->groups == channels && window->w.size(1) == 1 && window->x.size(1) == channels &&
         window->w.size(2) <= kMostRows && picture >= kLeast;
}

std::unique_ptr<Kernel> make_expansion(const KernelRequest& request) {
  return std::make_unique<ExpansionKernel>(request, contractions_in(request.graph, request.cluster));
}

}  // namespace temper::cpu
