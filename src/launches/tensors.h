#pragma once
// Tensors of a device with generated kernels: what its Device's functions of these names do. They lie
// row-major.
#include "launches/machine.h"

namespace temper::launches {

Tensor allocate(Machine& machine, const Type& type, const void* device);  // zeros
void copy(const Machine& machine, const Tensor& from, Tensor& to);        // done on return

}  // namespace temper::launches
