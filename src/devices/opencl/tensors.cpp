#include "devices/opencl/tensors.h"

namespace temper::opencl {

Tensor make_tensor(std::shared_ptr<Driver> driver, const Type& type, const void* device) {
  auto storage = std::make_shared<Storage>();
  storage->bytes = byte_size(type);
  storage->owner = std::make_shared<Memory>(std::move(driver), storage->bytes);
  storage->device = device;
  return {type, std::move(storage)};
}

Memory& memory_of(const Tensor& tensor) { return *static_cast<Memory*>(tensor.storage()->owner.get()); }

}  // namespace temper::opencl
