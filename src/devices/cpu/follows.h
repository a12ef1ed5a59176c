#pragma once
// What follows the sums of a contraction, one change after the other, for whichever kernel makes them.
#include <array>

#include "devices/cpu/fusion.h"
#include "devices/cpu/kernels/follow.h"

namespace temper::cpu {

// t is what a sum has become. A value that is added has the result's shape; its integers count as they are.
struct Follow {
  enum Kind { linear, relu, clip, round, sigmoid, tanh, gelu, gelu_tanh, add } kind;
  float a = 0, b = 0;  // linear: a t + b; clip, round: to numbers, integers from a to b
  Value operand = {};
};

// Of a contraction of floats, as the graph has them.
std::vector<Follow> plain_follows(const Fusion& fusion);

// For own kernels: the same as steps whose operands are addresses.
class FollowSteps {
 public:
  FollowSteps() = default;
  FollowSteps(std::span<const Follow> follows, const KernelRequest& request);

  static constexpr size_t kMost = 32;
  using Room = std::array<FollowStep, kMost>;
  // In `room`, for the buffers of a launch.
  std::span<const FollowStep> bind(void* const* buffers, Room& room) const;
  bool empty() const { return steps_.empty(); }

 private:
  struct Step {
    FollowStep step;
    int buffer;  // of the operand, if there is one
  };
  std::vector<Step> steps_;
};

}  // namespace temper::cpu
