#include "nn/optimizers.h"

#include <cmath>

#include "ops/primitives.h"

namespace temper::nn {
namespace {

// share * old + (1 - share) * fresh
Value blend(Builder& b, Value old, Value fresh, double share) {
  return ops::add(b, ops::mul(b, old, share), ops::mul(b, fresh, 1 - share));
}

Value square(Builder& b, Value x) { return ops::mul(b, x, x); }

Value step_down(Builder& b, Value parameter, Value rate, Value direction) {
  return ops::sub(b, parameter, ops::mul(b, direction, rate));
}

// hyper: lr
Update sgd(Builder& b, const Optimizer& o, Value parameter, Value g, std::span<const Value> slots, Value lr) {
  if (o.momentum == 0) return {step_down(b, parameter, lr, g), {}};
  const Value velocity = ops::add(b, ops::mul(b, slots[0], o.momentum), g);
  const Value direction = o.nesterov ? ops::add(b, g, ops::mul(b, velocity, o.momentum)) : velocity;
  return {step_down(b, parameter, lr, direction), {velocity}};
}

// hyper: lr, rate = lr / (1 - beta1^t), root = 1 / sqrt(1 - beta2^t). Kingma and Ba, 2015.
Update adam(Builder& b, const Optimizer& o, Value parameter, Value g, std::span<const Value> slots,
            std::span<const Value> hyper) {
  const Value m = blend(b, slots[0], g, o.beta1);
  const Value v = blend(b, slots[1], square(b, g), o.beta2);
  const Value scale = ops::add(b, ops::mul(b, ops::sqrt(b, v), hyper[2]), o.epsilon);
  return {step_down(b, parameter, hyper[1], ops::div(b, m, scale)), {m, v}};
}

Update rmsprop(Builder& b, const Optimizer& o, Value parameter, Value g, std::span<const Value> slots,
               Value lr) {
  const Value v = blend(b, slots[0], square(b, g), o.smoothing);
  const Value direction = ops::div(b, g, ops::add(b, ops::sqrt(b, v), o.epsilon));
  if (o.momentum == 0) return {step_down(b, parameter, lr, direction), {v}};
  const Value velocity = ops::add(b, ops::mul(b, slots[1], o.momentum), direction);
  return {step_down(b, parameter, lr, velocity), {v, velocity}};
}

Update adagrad(Builder& b, const Optimizer& o, Value parameter, Value g, std::span<const Value> slots,
               Value lr) {
  const Value sum = ops::add(b, slots[0], square(b, g));
  return {step_down(b, parameter, lr, ops::div(b, g, ops::add(b, ops::sqrt(b, sum), o.epsilon))), {sum}};
}

bool is_adam(const Optimizer& o) { return o.kind == "adam" || o.kind == "adamw"; }

}  // namespace

std::vector<std::string> optimizer_slots(const Optimizer& o) {
  if (is_adam(o)) return {"m", "v"};
  if (o.kind == "adagrad") return {"sum"};
  if (o.kind == "rmsprop")
    return o.momentum == 0 ? std::vector<std::string>{"v"} : std::vector<std::string>{"v", "velocity"};
  TEMPER_CHECK(o.kind == "sgd", "optimizer ", o.kind);
  return o.momentum == 0 ? std::vector<std::string>{} : std::vector<std::string>{"velocity"};
}

Hyper optimizer_hyper(const Optimizer& o, double lr, int64_t step) {
  if (!is_adam(o)) return {{"lr", lr}};
  const auto t = static_cast<double>(step);
  return {{"lr", lr},
          {"rate", lr / (1 - std::pow(o.beta1, t))},
          {"root", 1 / std::sqrt(1 - std::pow(o.beta2, t))}};
}

Update optimizer_update(Builder& b, const Optimizer& o, Value parameter, Value gradient,
                        std::span<const Value> slots, std::span<const Value> hyper, bool decay) {
  if (decay && o.weight_decay != 0) {
    if (o.kind == "adamw") {
      const Value kept = ops::sub(b, b.scalar(DType::f32, 1), ops::mul(b, hyper[0], o.weight_decay));
      parameter = ops::mul(b, parameter, kept);
    } else {
      gradient = ops::add(b, gradient, ops::mul(b, parameter, o.weight_decay));
    }
  }
  if (is_adam(o)) return adam(b, o, parameter, gradient, slots, hyper);
  if (o.kind == "rmsprop") return rmsprop(b, o, parameter, gradient, slots, hyper[0]);
  if (o.kind == "adagrad") return adagrad(b, o, parameter, gradient, slots, hyper[0]);
  return sgd(b, o, parameter, gradient, slots, hyper[0]);
}

}  // namespace temper::nn
