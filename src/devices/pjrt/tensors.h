#pragma once
// Tensors of this device. Their Storage has no host address; its owner is a Holder, whose buffers give way to
// others when the tensor is written: buffers themselves never change.
#include "devices/pjrt/client.h"

namespace temper::pjrt {

// How a tensor lies on the device's replicas.
enum Layout : int64_t {
  kFirst = 0,   // on the first
  kEach = 1,    // the same on each
  kShared = 2,  // axis 0 shared out among them in order
};

struct Holder {
  std::vector<std::shared_ptr<Buffer>> buffers;  // by replica; empty: zeros, not yet made
};

Tensor make_tensor(const Type& type, int64_t layout, const void* device);
Holder& holder_of(const Tensor& tensor);
// Made if there are none.
const std::vector<std::shared_ptr<Buffer>>& buffers_of(Client& client, const Tensor& tensor);

// What one replica has of a tensor.
Type type_of_part(const Type& type, int64_t layout, int replicas);

// Between host and device, and within the device; equal types.
void write_tensor(Client& client, const Tensor& host, const Tensor& to);
void read_tensor(Client& client, const Tensor& from, Tensor& host);
void copy_tensor(Client& client, const Tensor& from, const Tensor& to);

}  // namespace temper::pjrt
