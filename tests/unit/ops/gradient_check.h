#pragma once
// Derivatives of one op's sample in double, so that the comparison is sharp whatever dtype the sample has.
#include <string>

#include "ir/op.h"

namespace temper {

// The sample with f64 in place of every narrower arithmetic float: inputs, dtype attributes, regions.
Sample promoted(const Sample& sample);

bool differentiable(const Op& op, const Sample& sample);  // has a float operand, a float result and no kink

// node_gradient against central differences along a random direction of each operand. Empty if they agree,
// else what differs. `flipped`: the operand whose gradient is negated first, to see that it is noticed.
std::string check_finite_differences(const Op& op, const Sample& sample, int flipped = -1);

// A composite's own vjp against the derivative of its decomposition.
std::string check_decomposition(const Op& op, const Sample& sample);

// Operands that get a gradient that is not zero everywhere.
std::vector<int> operands_with_gradient(const Op& op, const Sample& sample);

}  // namespace temper
