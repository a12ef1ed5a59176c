// A depthwise convolution of 8-bit integers, which reads bytes where they lie.
#include <algorithm>

#include "devices/cpu/integer_kernel.h"
#include "devices/cpu/kernels/parallel.h"

namespace temper::cpu {

namespace {

template <class Byte>
class Depthwise : public IntegerKernel {
 public:
  explicit Depthwise(IntegerParts parts)
      : IntegerKernel(std::move(parts)),
        channels_(p_.windows.groups),
        row_((channels_ + kIntegerChannels - 1) / kIntegerChannels * kIntegerChannels),
        pairs_((p_.windows.taps() + 1) / 2),
        outside_(static_cast<size_t>(row_), static_cast<Byte>(p_.zero)) {}

  void run(void* const* buffers, KernelState*) const override {
    FollowSteps::Room room;
    const FollowResult to = result(buffers, room);
    const auto* x = static_cast<const Byte*>(buffers[p_.x]);
    const int64_t width = p_.windows.y[2], lines = p_.windows.rows() / width;
    parallel_tasks(lines, p_.windows.rows() * channels_ * pairs_,
                   [&](int64_t line) { put_line(x, line * width, to); });
  }

 private:
  void pack() const override {
    packed_ = Tensor(Type{DType::i16, {pairs_ * row_ * 2}});
    const auto to = packed_.mutable_values<int16_t>();
    const auto weight = p_.weight();
    for (int64_t k = 0; k < p_.windows.taps(); ++k)
      for (int64_t c = 0; c < channels_; ++c)
        to[static_cast<size_t>((k / 2 * row_ + c) * 2 + k % 2)] = weight(c, k);
  }

  // Columns whose windows lie within the line are one run; others are runs of one.
  void put_line(const Byte* x, int64_t row, const FollowResult& to) const {
    const Windows& w = p_.windows;
    const int64_t width = w.y[2], step = w.stride[2], reach = (w.w[2] - 1) * w.dilation[2];
    const int64_t begin = std::min(width, (w.low[2] + step - 1) / step),
                  end = std::clamp((w.x[2] - 1 - reach + w.low[2]) / step + 1, begin, width);
    for (int64_t column = 0; column < width; ++column) {
      const int64_t places = column == begin ? std::max<int64_t>(1, end - begin) : 1;
      put_places(x, row + column, places, to);
      column += places - 1;
    }
  }

  void put_places(const Byte* x, int64_t row, int64_t places, FollowResult to) const {
    const Windows& w = p_.windows;
    const Place from = w.place(row);
    const Byte* sample = x + from.sample * w.x[0] * w.x[1] * w.x[2] * channels_;
    std::array<const Byte*, kMostTaps + 1> taps;
    std::array<int64_t, kMostTaps + 1> steps;
    size_t k = 0;
    const auto outside = [&] { taps[k] = outside_.data(), steps[k++] = 0; };
    for (int64_t d = 0; d < w.w[0]; ++d)
      for (int64_t h = 0; h < w.w[1]; ++h)
        for (int64_t i = 0; i < w.w[2]; ++i) {
          const int64_t z = from.at[0] + d * w.dilation[0], y = from.at[1] + h * w.dilation[1],
                        at = from.at[2] + i * w.dilation[2];
          if (z < 0 || z >= w.x[0] || y < 0 || y >= w.x[1] || at < 0 || at >= w.x[2]) {
            outside();
          } else {
            taps[k] = sample + ((z * w.x[1] + y) * w.x[2] + at) * channels_;
            steps[k++] = w.stride[2] * channels_;
          }
        }
    if (k % 2 == 1) outside();
    to.first = row * channels_;
    const IntegerTaps<Byte> all{.taps = taps.data(),
                                .steps = steps.data(),
                                .pairs = pairs_,
                                .places = places,
                                .weights = packed_.template values<int16_t>().data(),
                                .weight_row = row_,
                                .channels = channels_,
                                .result = to};
    if constexpr (std::is_same_v<Byte, uint8_t>) {
      integer_functions().taps_u8(all);
    } else {
      integer_functions().taps_i8(all);
    }
  }

  mutable Tensor packed_;
  const int64_t channels_, row_, pairs_;
  const std::vector<Byte> outside_;  // a place beyond the edges
};

}  // namespace

std::unique_ptr<Kernel> make_integer_depthwise(IntegerParts parts) {
  if (parts.is_signed) return std::make_unique<Depthwise<int8_t>>(std::move(parts));
  return std::make_unique<Depthwise<uint8_t>>(std::move(parts));
}

}  // namespace temper::cpu
