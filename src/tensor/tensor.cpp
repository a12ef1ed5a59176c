#include "temper/tensor.h"

#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/memory.h"

namespace temper {
namespace {

constexpr size_t kAlignment = 64;  // a cache line, and the widest vector

std::shared_ptr<Storage> allocate(const Type& type) {
  const int64_t bytes = byte_size(type);
  // calloc leaves fresh pages untouched: a tensor that is written once is not written twice.
  void* block = std::calloc(1, static_cast<size_t>(bytes) + kAlignment);
  if (!block) {
    throw Error(ErrorKind::exhausted,
                concat("out of memory: cannot allocate ", bytes, " bytes for ", to_string(type)));
  }
  prefer_large_pages(block, bytes);
  auto storage = std::make_shared<Storage>();
  storage->owner = std::shared_ptr<void>(block, std::free);
  const auto address = reinterpret_cast<uintptr_t>(block);
  storage->data = static_cast<std::byte*>(block) + (kAlignment - address % kAlignment) % kAlignment;
  storage->bytes = bytes;
  return storage;
}

}  // namespace

Tensor::Tensor(Type type) : type_(std::move(type)), storage_(allocate(type_)) {}

Tensor::Tensor(Type type, std::shared_ptr<Storage> storage)
    : type_(std::move(type)), storage_(std::move(storage)) {
  TEMPER_CHECK(storage_ && storage_->bytes >= byte_size(type_), "storage too small for ", to_string(type_));
}

std::byte* Tensor::mutable_data() {
  TEMPER_CHECK(storage_ && !storage_->read_only, "tensor ", to_string(type_), " is read-only");
  return static_cast<std::byte*>(storage_->data);
}

Tensor Tensor::clone() const {
  TEMPER_CHECK(on_host(), "only host tensors can be cloned");
  Tensor copy(type_);
  std::memcpy(copy.mutable_data(), data(), static_cast<size_t>(bytes()));
  return copy;
}

Tensor Tensor::reshaped(Shape shape) const {
  TEMPER_CHECK(shape.elements() == elements(), to_string(type_), " as ", to_string(shape));
  return Tensor(Type{dtype(), std::move(shape)}, storage_);
}

void check_element_size(DType dtype, size_t bytes) {
  TEMPER_CHECK(!is_packed(dtype) && static_cast<size_t>(bit_width(dtype)) == bytes * 8, to_string(dtype),
               " read as elements of ", bytes, " bytes");
}

}  // namespace temper
