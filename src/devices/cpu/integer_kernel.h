#pragma once
// What own kernels for contractions on integers share: windows over pictures of any rank, weights that are
// packed once, what follows the sums.
#include <array>
#include <mutex>

#include "devices/cpu/integer_contraction.h"
#include "devices/cpu/kernels/integer_product.h"

namespace temper::cpu {

constexpr int kAxes = 3;                                  // of space: missing ones have size 1
constexpr int64_t kMostTaps = 2 * kMostIntegerPairs - 1;  // of a depthwise convolution
using Axes = std::array<int64_t, kAxes>;

// Where a window begins, perhaps before the edge.
struct Place {
  int64_t sample;
  Axes at;
};

// A convolution over [batch, space, channels]; a matrix product is one of a single place a row.
struct Windows {
  int64_t batch = 1, groups = 1, in = 1, out = 1;  // in, out: channels of a group
  Axes x{1, 1, 1}, w{1, 1, 1}, y{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1}, low{0, 0, 0};

  int64_t rows() const { return batch * y[0] * y[1] * y[2]; }
  int64_t taps() const { return w[0] * w[1] * w[2]; }
  int64_t depth() const { return in * taps(); }
  bool is_depthwise() const { return groups > 1 && in == 1 && out == 1; }
  Place place(int64_t row) const {
    Place from{.sample = row, .at = {}};
    for (size_t i = kAxes; i-- > 0;) {
      from.at[i] = from.sample % y[i] * stride[i] - low[i];
      from.sample /= y[i];
    }
    return from;
  }
  bool is_plain() const { return groups == 1 && taps() == 1 && x == y && stride == Axes{1, 1, 1}; }
};

// What a kernel is made from. Buffers: x, y, scratch.
struct IntegerParts {
  Windows windows;
  Tensor weights;          // i8, as the graph has them
  bool turned = false;     // weights of a product: [in, out]
  bool is_signed = false;  // x
  int32_t zero = 0;        // x beyond its edges
  Numbers numbers;
  FollowSteps follows;
  FollowResult::Kind kind = FollowResult::u8;
  int x = 0, y = 0, scratch = 0, threads = 1;

  bool is_depthwise() const { return windows.is_depthwise() && windows.taps() <= kMostTaps; }

  // A function of output channel o of all groups and k, which counts taps and, fastest, channels.
  auto weight() const {
    return [values = weights.values<int8_t>().data(), out = windows.out, in = windows.in,
            taps = windows.taps(), turned = turned](int64_t o, int64_t k) {
      return turned ? values[k * out + o] : values[(o * in + k % in) * taps + k / in];
    };
  }
};

class IntegerKernel : public Kernel {
 public:
  explicit IntegerKernel(IntegerParts parts) : p_(std::move(parts)) {}

  std::unique_ptr<KernelState> make_state() const override {
    std::call_once(once_, [&] {
      pack();
      p_.weights = Tensor();
    });
    return nullptr;
  }

 protected:
  virtual void pack() const = 0;

  // Of all columns; `room` lives as long as what is returned.
  FollowResult result(void* const* buffers, FollowSteps::Room& room) const {
    const std::span<const FollowStep> steps = p_.follows.bind(buffers, room);
    return {.kind = p_.kind,
            .scales = p_.numbers.scales.data(),
            .bias = p_.numbers.bias.data(),
            .steps = steps.data(),
            .step_count = static_cast<int64_t>(steps.size()),
            .y = buffers[p_.y],
            .first = 0,
            .row = p_.windows.out * p_.windows.groups};
  }

  mutable IntegerParts p_;

 private:
  mutable std::once_flag once_;
};

// By one weight for each channel and tap.
std::unique_ptr<Kernel> make_integer_depthwise(IntegerParts parts);

}  // namespace temper::cpu
