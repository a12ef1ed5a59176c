#pragma once
// The parts of conv_general: its geometry, shared by the shape rule, the evaluation and the gradients.
#include "ops/map.h"

namespace temper {

// Logical order: x [n, c, spatial...], w [o, c / groups, spatial...], y [n / batch_groups, o, spatial...].
ops::ConvDims conv_dims(const Attributes& attributes);
// a - b, both spread by their dilations; of symbolic ones if it does not depend on the symbol.
std::optional<int64_t> spread_difference(const Dim& a, int64_t a_dilation, const Dim& b, int64_t b_dilation);

std::vector<Value> vjp_conv(Builder& b, const VjpContext& c);
std::vector<Sample> conv_samples();

}  // namespace temper
