#pragma once
// Reverse mode, Graph to Graph.
#include "ir/builder.h"

namespace temper {

// Appends to `b` the gradient of sum(seed * y) with respect to each of `wrt`; only what they need is emitted.
// seed none: ones (y is usually a scalar). A result is a zero tensor if y does not depend on it.
// Error unsupported names the node whose op has no gradient, and why, if the path to a `wrt` needs it.
std::vector<Value> gradient(Builder& b, Value y, std::span<const Value> wrt, Value seed = {});

}  // namespace temper
