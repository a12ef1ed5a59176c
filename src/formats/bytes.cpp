#include "formats/bytes.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "temper/error.h"

namespace temper {

static constexpr int64_t kCopyUpTo = 4096;  // bytes
static constexpr int64_t kMaxElements = int64_t{1} << 60;

Tensor copy_bytes(const Type& type, const void* data) {
  Tensor tensor(type);
  if (tensor.bytes() > 0) std::memcpy(tensor.mutable_data(), data, static_cast<size_t>(tensor.bytes()));
  return tensor;
}

Tensor borrow(const Type& type, const void* data, std::shared_ptr<void> owner) {
  const int64_t bytes = byte_size(type), alignment = std::max(1, bit_width(type.dtype) / 8);
  if (bytes <= kCopyUpTo || reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(alignment) != 0)
    return copy_bytes(type, data);
  auto storage = std::make_shared<Storage>();
  storage->data = const_cast<void*>(data);
  storage->bytes = bytes;
  storage->read_only = true;
  storage->owner = std::move(owner);
  return Tensor(type, std::move(storage));
}

Shape checked_shape(const std::vector<int64_t>& sizes, const std::string& what) {
  int64_t elements = 1;
  for (const int64_t size : sizes) {
    if (size < 0) throw Error(ErrorKind::corrupt, concat(what, ": dimension ", size, " is negative"));
    if (size > 0 && elements > kMaxElements / size)
      throw Error(ErrorKind::corrupt, concat(what, ": dimensions multiply to more than 2^60"));
    elements *= std::max<int64_t>(size, 1);
  }
  return Shape::of(sizes);
}

void make_boolean(Tensor& tensor) {
  if (tensor.empty() || tensor.dtype() != DType::boolean) return;
  const std::byte* from = tensor.data();
  if (std::all_of(from, from + tensor.bytes(), [](std::byte byte) { return byte <= std::byte{1}; })) return;
  tensor = tensor.clone();
  std::byte* bytes = tensor.mutable_data();
  for (int64_t i = 0; i < tensor.bytes(); ++i) bytes[i] = std::byte{bytes[i] != std::byte{0}};
}

}  // namespace temper
