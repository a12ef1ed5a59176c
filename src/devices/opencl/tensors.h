#pragma once
// Tensors of this device: their Storage has no host address, its owner is the memory on the device.
#include "devices/opencl/driver.h"
#include "temper/tensor.h"

namespace temper::opencl {

Tensor make_tensor(std::shared_ptr<Driver> driver, const Type& type, const void* device);  // not filled
Memory& memory_of(const Tensor& tensor);

}  // namespace temper::opencl
