#pragma once
// Tensors of this device. Their Storage has no host address; its owner is a Holder, whose buffer gives way to
// another when the tensor is written: buffers themselves never change.
#include "devices/pjrt/client.h"

namespace temper::pjrt {

struct Holder {
  std::shared_ptr<Buffer> buffer;  // none: zeros, not yet made
};

Tensor make_tensor(const Type& type, const void* device);
Holder& holder_of(const Tensor& tensor);
Buffer& buffer_of(Client& client, const Tensor& tensor);  // made if there is none

}  // namespace temper::pjrt
