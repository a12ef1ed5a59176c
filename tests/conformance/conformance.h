#pragma once
// One sample of an op on one device against the reference.
#include <string>

#include "ir/op.h"
#include "runtime/device.h"

namespace temper {

// Allowed error relative to the largest magnitude: the sample's own, else that of the dtype. Integers: 0.
double tolerance_of(const Sample& sample, DType dtype);

// Empty if each of `found` is `expected` within the tolerance, else where it is not. NaN must meet NaN, an
// infinity itself.
std::string compare(const Sample& sample, const std::vector<Tensor>& found,
                    const std::vector<Tensor>& expected);

std::vector<Tensor> run_sample(Device& device, const Op& op, const Sample& sample);
std::vector<Tensor> reference(const Op& op, const Sample& sample);

// All of them in one program, which a device that compiles slowly does sooner; results by sample.
std::vector<std::vector<Tensor>> run_together(Device& device, const Op& op,
                                              const std::vector<Sample>& samples);

}  // namespace temper
