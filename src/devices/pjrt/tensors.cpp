#include "devices/pjrt/tensors.h"

#include "base/check.h"

namespace temper::pjrt {

Tensor make_tensor(const Type& type, int64_t layout, const void* device) {
  auto storage = std::make_shared<Storage>();
  storage->bytes = byte_size(type);
  storage->owner = std::make_shared<Holder>();
  storage->device = device;
  storage->layout = layout;
  return {type, std::move(storage)};
}

Holder& holder_of(const Tensor& tensor) { return *static_cast<Holder*>(tensor.storage()->owner.get()); }

Type type_of_part(const Type& type, int64_t layout, int replicas) {
  Type part = type;
  if (layout != kShared) return part;
  const int64_t rows = type.shape.size(0);
  TEMPER_CHECK(rows % replicas == 0, rows, " rows for ", replicas, " replicas");
  part.shape[0] = rows / replicas;
  return part;
}

const std::vector<std::shared_ptr<Buffer>>& buffers_of(Client& client, const Tensor& tensor) {
  Holder& holder = holder_of(tensor);
  if (holder.buffers.empty()) write_tensor(client, Tensor(tensor.type()), tensor);
  return holder.buffers;
}

void write_tensor(Client& client, const Tensor& host, const Tensor& to) {
  const int64_t layout = to.storage()->layout;
  const int replicas = layout == kFirst ? 1 : client.replicas();
  const Type part = type_of_part(to.type(), layout, replicas);
  std::vector<std::shared_ptr<Buffer>> buffers;
  for (int replica = 0; replica < replicas; ++replica) {
    const int64_t offset = layout == kShared ? replica * byte_size(part) : 0;
    buffers.push_back(client.upload(host.data() + offset, part, replica));
  }
  holder_of(to).buffers = std::move(buffers);
}

void read_tensor(Client& client, const Tensor& from, Tensor& host) {
  const std::vector<std::shared_ptr<Buffer>>& buffers = buffers_of(client, from);
  if (from.storage()->layout != kShared)
    return client.download(*buffers.front(), from.type(), host.mutable_data());
  const Type part = type_of_part(from.type(), kShared, client.replicas());
  for (size_t i = 0; i < buffers.size(); ++i)
    client.download(*buffers[i], part, host.mutable_data() + static_cast<int64_t>(i) * byte_size(part));
}

// Buffers never change: both may hold one.
void copy_tensor(Client& client, const Tensor& from, const Tensor& to) {
  const int64_t layout = from.storage()->layout, wanted = to.storage()->layout;
  const std::vector<std::shared_ptr<Buffer>>& buffers = buffers_of(client, from);
  if (layout == wanted) {
    holder_of(to).buffers = buffers;
  } else if (layout == kEach && wanted == kFirst) {
    holder_of(to).buffers = {buffers.front()};
  } else {
    Tensor host(from.type());
    read_tensor(client, from, host);
    write_tensor(client, host, to);
  }
}

}  // namespace temper::pjrt
