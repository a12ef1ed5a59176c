#pragma once
// Update rules as graph. Slots are per parameter, of its type, and start at zero.
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ir/builder.h"

namespace temper::nn {

struct Optimizer {
  std::string kind = "adam";  // sgd, adam, adamw, rmsprop, adagrad; formulas as PyTorch's
  double momentum = 0;        // sgd, rmsprop
  bool nesterov = false;      // sgd
  double weight_decay =
      0;  // added to the gradient as weight_decay * parameter; adamw: shrinks the parameter by lr * it
  double beta1 = 0.9, beta2 = 0.999;  // adam, adamw
  double smoothing = 0.99;            // rmsprop
  double epsilon = 1e-8;              // adagrad: 1e-10
};

std::vector<std::string> optimizer_slots(const Optimizer& optimizer);  // "m", "v"

// The scalars that an update reads, by name, for step 1, 2, ...: computed in double so that f32 keeps its
// accuracy.
using Hyper = std::vector<std::pair<std::string, double>>;
Hyper optimizer_hyper(const Optimizer& optimizer, double lr, int64_t step);

struct Update {
  Value parameter;
  std::vector<Value> slots;
};
// hyper: f32 scalars in the order of optimizer_hyper. decay: whether weight_decay touches this parameter.
Update optimizer_update(Builder& b, const Optimizer& optimizer, Value parameter, Value gradient,
                        std::span<const Value> slots, std::span<const Value> hyper, bool decay);

}  // namespace temper::nn
