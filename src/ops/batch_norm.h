#pragma once
// What batch norm in training and its form with an activation share.
#include "ops/composite.h"

namespace temper::ops {

// Fails unless x: [n, c, ...]; the type of scale and the other parameters: [c], of x's dtype or wider.
Type batch_norm_parameter(const InferContext& context);

// What reaches x (input 0) through the results mean and variance (1 and 2); none if nothing does.
Value through_statistics(Builder& b, const VjpContext& context);

}  // namespace temper::ops
