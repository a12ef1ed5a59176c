// The gradient of a depthwise convolution's input in bf16, by own loops: oneDNN 3.2 takes fifty times as long
// for strides above 1. Each place of x gathers from the windows that saw it.
#include <array>

#include "devices/cpu/convolution_shapes.h"
#include "devices/cpu/kernels/depthwise.h"
#include "devices/cpu/kernels/parallel.h"

namespace temper::cpu {

namespace {

// Along one axis: the output position that saw input position `at` through tap `tap`; -1: none.
struct Axis {
  int64_t x, y, window, stride, low, dilation;

  int64_t position(int64_t at, int64_t tap) const {
    const int64_t spread = at + low - tap * dilation;
    return spread >= 0 && spread % stride == 0 && spread / stride < y ? spread / stride : -1;
  }
};

Axis axis_of(const Convolution& conv, int axis) {
  const auto i = static_cast<size_t>(axis);
  return {conv.x.size(2 + axis), conv.y.size(2 + axis), conv.w.size(2 + axis),
          conv.strides[i],       conv.low[i],           conv.dilations[i]};
}

class DepthwiseGradient : public Kernel {
 public:
  // reorder: a step that leaves the weights as f32 [rows, columns, channels] at the start of `scratch`.
  DepthwiseGradient(const Convolution& conv, Step reorder, std::array<int, 3> buffers, int64_t scratch_bytes)
      : batch_(conv.x.size(0)),
        channels_(conv.x.size(1)),
        rows_(axis_of(conv, 0)),
        columns_(axis_of(conv, 1)),
        dy_(buffers[0]),
        dx_(buffers[1]),
        scratch_(buffers[2]),
        scratch_bytes_(scratch_bytes) {
    steps_.push_back(std::move(reorder));
  }

  void run(void* const* buffers, KernelState* state) const override {
    static_cast<BoundSteps&>(*state).run(0, buffers);
    const auto* dy = static_cast<const Bf16*>(buffers[dy_]);
    const auto* weights = static_cast<const float*>(buffers[scratch_]);
    auto* dx = static_cast<Bf16*>(buffers[dx_]);
    parallel_tasks(batch_ * rows_.x, batch_ * rows_.x * columns_.x * channels_, [&](int64_t task) {
      const int64_t n = task / rows_.x;
      row(dy + n * rows_.y * columns_.y * channels_, weights, task % rows_.x,
          dx + task * columns_.x * channels_);
    });
  }
  int64_t scratch_bytes() const override { return scratch_bytes_; }
  std::unique_ptr<KernelState> make_state() const override { return std::make_unique<BoundSteps>(steps_); }

  static constexpr int64_t kMostTaps = 256;

 private:
  void row(const Bf16* dy, const float* weights, int64_t at, Bf16* dx) const {
    const DepthwisePlace place = depthwise_place();
    std::array<int64_t, kMostTaps> places, weight_rows;
    for (int64_t column = 0; column < columns_.x; ++column) {
      DepthwiseTaps taps{.places = places.data(), .rows = weight_rows.data()};
      for (int64_t i = 0; i < rows_.window; ++i) {
        const int64_t y = rows_.position(at, i);
        for (int64_t j = 0; y >= 0 && j < columns_.window; ++j) {
          const int64_t x = columns_.position(column, j);
          if (x < 0) continue;
          const auto k = static_cast<size_t>(taps.count++);
          places[k] = (y * columns_.y + x) * channels_;
          weight_rows[k] = (i * columns_.window + j) * channels_;
        }
      }
      place(dy, weights, taps, channels_, dx + column * channels_);
    }
  }

  int64_t batch_, channels_;
  Axis rows_, columns_;
  int dy_, dx_, scratch_;
  int64_t scratch_bytes_;
  std::vector<Step> steps_;
};

}  // namespace

bool is_strided_depthwise(const Convolution& conv) {
  return conv.dtype == DType::bf16 && conv.x.rank() == 4 && conv.groups > 1 &&
         conv.groups == conv.x.size(1) && conv.groups == conv.w.size(0) && conv.strides != Ints{1, 1} &&
         conv.w.size(2) * conv.w.size(3) <= DepthwiseGradient::kMostTaps;
}

std::unique_ptr<Kernel> make_depthwise_gradient(const Convolution& conv, const Descriptor& weights,
                                                int weights_buffer, std::array<int, 3> buffers) {
  const Ints sizes = conv.w.sizes();  // [channels, 1, rows, columns]
  const Descriptor by_tap(
      {conv.groups, 1, 1, sizes[2], sizes[3]}, dnnl::memory::data_type::f32,
      dnnl::memory::dims{1, conv.groups, conv.groups, sizes[3] * conv.groups, conv.groups});
  ScratchPlan plan;
  const int64_t offset = plan.take(static_cast<int64_t>(by_tap.get_size()));
  Step reorder = reorder_step(weights, weights_buffer, 0, by_tap, buffers[2], offset, buffers[2], plan);
  return std::make_unique<DepthwiseGradient>(conv, std::move(reorder), buffers, plan.bytes());
}

}  // namespace temper::cpu
