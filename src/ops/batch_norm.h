#pragma once
// What batch norm in training, its form with an activation and their pieces share.
#include "ops/composite.h"
#include "ops/composites.h"

namespace temper::ops {

// Fails unless x: [n, c, ...]; the type of scale and the other parameters: [c], of x's dtype or wider.
Type batch_norm_parameter(const InferContext& context);

// What reaches x (input 0) through the results mean and variance (1 and 2); none if nothing does.
Value through_statistics(Builder& b, const VjpContext& context);

Attributes attributes_of(const NormActivation& activation);
NormActivation activation_of(const Attributes& attributes);
void require_bounds(const InferContext& context);  // fails unless low < high

}  // namespace temper::ops
