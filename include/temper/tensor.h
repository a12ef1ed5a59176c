#pragma once
// A dense row-major tensor in host memory, or a handle to one on a device.
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "temper/shape.h"

namespace temper {

// Memory behind tensors. The owner keeps the bytes alive: an allocation, a mapped file, a device buffer.
struct Storage {
  void* data = nullptr;  // host address; null if the bytes are not addressable from the host
  int64_t bytes = 0;
  bool read_only = false;        // mapped files
  std::shared_ptr<void> owner;   // frees or unmaps
  const void* device = nullptr;  // null: host memory; else the Device that owns it (identity only)
  int64_t layout = 0;            // 0: row-major; else a layout of that device, meaningful to it alone
};

// Copying a Tensor shares the bytes. Not synchronised: one writer or many readers.
class TEMPER_API Tensor {
 public:
  Tensor() = default;          // empty(): no storage
  explicit Tensor(Type type);  // allocates, zero-filled, 64-byte aligned; type is static
  Tensor(Type type, std::shared_ptr<Storage> storage);  // borrows; storage holds at least byte_size(type)

  template <class T>
  static Tensor from(const Shape& shape, std::span<const T> values);  // dtype_of<T>
  template <class T>
  static Tensor scalar(T value) {
    return from<T>({}, std::span<const T>(&value, 1));
  }

  bool empty() const { return !storage_; }
  const Type& type() const { return type_; }
  DType dtype() const { return type_.dtype; }
  const Shape& shape() const { return type_.shape; }
  int64_t elements() const { return type_.shape.elements(); }
  int64_t bytes() const { return byte_size(type_); }
  const std::shared_ptr<Storage>& storage() const { return storage_; }
  bool on_host() const { return storage_ && !storage_->device; }

  const std::byte* data() const { return static_cast<const std::byte*>(storage_->data); }
  std::byte* mutable_data();  // throws internal on read-only storage
  template <class T>
  std::span<const T> values() const;  // T must be the storage type of dtype()
  template <class T>
  std::span<T> mutable_values();

  Tensor clone() const;                // own copy of host bytes
  Tensor reshaped(Shape shape) const;  // same bytes, same number of elements

 private:
  Type type_;
  std::shared_ptr<Storage> storage_;
};

// Any dtype as double or int64 and back (rounding to nearest even, saturating for f8, wrapping for integers).
TEMPER_API std::vector<double> to_doubles(const Tensor& tensor);
TEMPER_API std::vector<int64_t> to_int64s(
    const Tensor& tensor);  // throws on float dtypes; u64 keeps its bits
TEMPER_API Tensor from_doubles(const Type& type, std::span<const double> values);
TEMPER_API Tensor from_int64s(const Type& type, std::span<const int64_t> values);
TEMPER_API double round_to(DType dtype, double value);  // the nearest value that dtype can hold

// 16-bit floats as bits.
TEMPER_API float f16_to_f32(uint16_t bits);
TEMPER_API uint16_t f32_to_f16(float value);
TEMPER_API float bf16_to_f32(uint16_t bits);
TEMPER_API uint16_t f32_to_bf16(float value);

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<bool>() {
  return DType::boolean;
}
template <>
constexpr DType dtype_of<int8_t>() {
  return DType::i8;
}
template <>
constexpr DType dtype_of<uint8_t>() {
  return DType::u8;
}
template <>
constexpr DType dtype_of<int16_t>() {
  return DType::i16;
}
template <>
constexpr DType dtype_of<uint16_t>() {
  return DType::u16;
}
template <>
constexpr DType dtype_of<int32_t>() {
  return DType::i32;
}
template <>
constexpr DType dtype_of<uint32_t>() {
  return DType::u32;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::i64;
}
template <>
constexpr DType dtype_of<uint64_t>() {
  return DType::u64;
}
template <>
constexpr DType dtype_of<float>() {
  return DType::f32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::f64;
}

TEMPER_API void check_element_size(DType dtype, size_t bytes);  // throws internal on a mismatch

template <class T>
std::span<const T> Tensor::values() const {
  check_element_size(dtype(), sizeof(T));
  return {reinterpret_cast<const T*>(data()), static_cast<size_t>(elements())};
}
template <class T>
std::span<T> Tensor::mutable_values() {
  check_element_size(dtype(), sizeof(T));
  return {reinterpret_cast<T*>(mutable_data()), static_cast<size_t>(elements())};
}
template <class T>
Tensor Tensor::from(const Shape& shape, std::span<const T> values) {
  Tensor tensor(Type{dtype_of<T>(), shape});
  std::copy(values.begin(), values.end(), tensor.mutable_values<T>().begin());
  return tensor;
}

}  // namespace temper
