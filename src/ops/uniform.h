#pragma once
#include <optional>

#include "ir/op.h"

namespace temper::ops {

// The number that every element of a value is, if it is such a constant.
std::optional<double> uniform_constant(const Graph& graph, Value value);

}  // namespace temper::ops
