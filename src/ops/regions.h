#pragma once
// What ops with regions share. A region takes what it captures as explicit operands.
#include "ops/map.h"

namespace temper {

// Input i of the region must have the type of operand first + i.
void expect_region_inputs(const InferContext& c, size_t region, size_t first);
std::vector<Type> region_outputs(const Graph& region);

// Arguments of a region: pointers into `arrays`.
std::vector<const Array*> pointers(const std::vector<Array>& arrays);

Value zeros_if_none(Builder& b, Value value, const Type& type);

// A graph whose inputs are those of `region` and one cotangent per output with `given`, and whose outputs are
// the gradients of the inputs with `wanted`: zeros where nothing depends on one.
Graph gradient_region(const Graph& region, const std::vector<bool>& given, const std::vector<bool>& wanted,
                      decltype(VjpContext::region_gradient) region_gradient);

}  // namespace temper
