#include "devices/cpu/follows.h"

#include <limits>

#include "base/check.h"
#include "devices/cpu/post_ops.h"

namespace temper::cpu {

namespace {

Follow plain(const PostOp& post) {
  const auto number = [](double value) { return static_cast<float>(value); };
  switch (post.kind) {
    case PostOp::relu:
      return {Follow::relu};
    case PostOp::clip:
      return {Follow::clip, number(post.low), number(post.high)};
    case PostOp::sigmoid:
      return {Follow::sigmoid};
    case PostOp::tanh:
      return {Follow::tanh};
    case PostOp::gelu:
      return {Follow::gelu};
    case PostOp::gelu_tanh:
      return {Follow::gelu_tanh};
    case PostOp::scale:
      return {Follow::linear, number(post.factor), 0};
    case PostOp::add:
      return {.kind = Follow::add, .operand = post.operand};
    case PostOp::round:
      break;
  }
  TEMPER_CHECK(false, "integers among floats");
}

FollowStep::Kind adding(DType dtype) {
  return dtype == DType::u8   ? FollowStep::add_u8
         : dtype == DType::i8 ? FollowStep::add_i8
                              : FollowStep::add_f32;
}

FollowStep step_of(const Follow& follow, const KernelRequest& request) {
  switch (follow.kind) {
    case Follow::linear:
      return {FollowStep::linear, follow.a, follow.b, nullptr};
    case Follow::relu:
      return {FollowStep::clip, 0, std::numeric_limits<float>::infinity(), nullptr};
    case Follow::clip:
      return {FollowStep::clip, follow.a, follow.b, nullptr};
    case Follow::round:
      return {FollowStep::round, follow.a, follow.b, nullptr};
    case Follow::sigmoid:
      return {FollowStep::sigmoid, 0, 0, nullptr};
    case Follow::tanh:
      return {FollowStep::tanh, 0, 0, nullptr};
    case Follow::gelu:
      return {FollowStep::gelu, 0, 0, nullptr};
    case Follow::gelu_tanh:
      return {FollowStep::gelu_tanh, 0, 0, nullptr};
    case Follow::add:
      break;
  }
  return {adding(request.graph.type(follow.operand).dtype), 0, 0, nullptr};
}

}  // namespace

std::vector<Follow> plain_follows(const Fusion& fusion) {
  std::vector<Follow> follows;
  for (const PostOp& post : fusion.posts) follows.push_back(plain(post));
  return follows;
}

FollowSteps::FollowSteps(std::span<const Follow> follows, const KernelRequest& request) {
  TEMPER_CHECK(follows.size() <= kMost, follows.size(), " steps");
  for (const Follow& follow : follows)
    steps_.push_back(
        {step_of(follow, request), follow.operand ? position(request.inputs, follow.operand) : -1});
}

std::span<const FollowStep> FollowSteps::bind(void* const* buffers, Room& room) const {
  for (size_t i = 0; i < steps_.size(); ++i) {
    room[i] = steps_[i].step;
    if (steps_[i].buffer >= 0) room[i].operand = buffers[steps_[i].buffer];
  }
  return {room.data(), steps_.size()};
}

}  // namespace temper::cpu
