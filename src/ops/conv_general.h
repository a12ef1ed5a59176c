#pragma once
// The parts of conv_general: its geometry, shared by the shape rule, the evaluation and the gradients.
#include "ops/map.h"

namespace temper {

// Logical order: x [n, c, spatial...], w [o, c / groups, spatial...], y [n / batch_groups, o, spatial...].
ops::ConvDims conv_dims(const Attributes& attributes);
WindowAxis conv_window(const ops::ConvDims& dims, size_t spatial_axis, int64_t size);

std::vector<Value> vjp_conv(Builder& b, const VjpContext& c);
std::vector<Sample> conv_samples();

}  // namespace temper
