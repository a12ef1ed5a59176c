#pragma once
// Reverse mode, Graph to Graph.
#include "ir/builder.h"

namespace temper {

// Appends to `b` the gradient of sum(seed * y) with respect to each of `wrt`; only what they need is emitted.
// seed none: ones (y is usually a scalar). A result is a zero tensor if y does not depend on it.
// Error unsupported names the node whose op has no gradient, and why, if the path to a `wrt` needs it.
std::vector<Value> gradient(Builder& b, Value y, std::span<const Value> wrt, Value seed = {});

// The same for several results at once: of sum over i of sum(seeds[i] * ys[i]). A none seed counts as zero,
// and a none result says that nothing depends on that `wrt`.
std::vector<Value> vector_jacobian(Builder& b, std::span<const Value> ys, std::span<const Value> seeds,
                                   std::span<const Value> wrt);

// One node's cotangents: its own vjp, or the derivative of its decomposition. `inputs` and `outputs` as
// VjpContext.
std::vector<Value> node_gradient(Builder& b, const VjpContext& context);

// The derivative of a composite's decomposition, whether or not it has a vjp of its own: what tests compare
// with.
std::vector<Value> decomposition_gradient(Builder& b, const VjpContext& context);

}  // namespace temper
