#include "devices/pjrt/tensors.h"

namespace temper::pjrt {

Tensor make_tensor(const Type& type, const void* device) {
  auto storage = std::make_shared<Storage>();
  storage->bytes = byte_size(type);
  storage->owner = std::make_shared<Holder>();
  storage->device = device;
  return {type, std::move(storage)};
}

Holder& holder_of(const Tensor& tensor) { return *static_cast<Holder*>(tensor.storage()->owner.get()); }

Buffer& buffer_of(Client& client, const Tensor& tensor) {
  Holder& holder = holder_of(tensor);
  if (!holder.buffer) holder.buffer = client.upload(Tensor(tensor.type()));
  return *holder.buffer;
}

}  // namespace temper::pjrt
