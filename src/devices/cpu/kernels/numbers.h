#pragma once
// Elements in storage form, read and written as cells: 16-bit floats as float, booleans as bytes.
#include "devices/cpu/kernels/cells.h"
#include "temper/tensor.h"

namespace temper::cpu {

struct Half {
  using Cell = float;
  uint16_t bits;
  float get() const { return f16_to_f32(bits); }
  void set(float value) { bits = f32_to_f16(value); }
};

struct BFloat16 {
  using Cell = float;
  uint16_t bits;
  float get() const { return bf16_to_f32(bits); }
  void set(float value) { bits = f32_to_bf16(value); }
};

template <class T>
struct Number {
  using Cell = T;
  T value;
  T get() const { return value; }
  void set(T x) { value = x; }
};

// call(CellOf<S>{}) with S the storage: Number<T>, Half or BFloat16; booleans are Number<uint8_t>.
template <class Call>
auto with_storage(DType dtype, Call&& call) {
  if (dtype == DType::f16) return call(CellOf<Half>{});
  if (dtype == DType::bf16) return call(CellOf<BFloat16>{});
  return with_cell(dtype, [&]<class T>(CellOf<T>) {
    if constexpr (std::is_same_v<T, Boolean>)
      return call(CellOf<Number<uint8_t>>{});
    else
      return call(CellOf<Number<T>>{});
  });
}

// Reads an index of any integer dtype.
using ReadIndex = int64_t (*)(const void* from, int64_t at);
inline ReadIndex index_reader(DType dtype) {
  return with_cell(dtype, []<class T>(CellOf<T>) -> ReadIndex {
    return [](const void* from, int64_t at) -> int64_t {
      if constexpr (std::is_same_v<T, Boolean>)
        return static_cast<const uint8_t*>(from)[at];
      else if constexpr (std::is_same_v<T, uint64_t>)  // beyond int64 is beyond any axis
        return static_cast<int64_t>(std::min<uint64_t>(static_cast<const T*>(from)[at], INT64_MAX));
      else
        return static_cast<int64_t>(static_cast<const T*>(from)[at]);
    };
  });
}

}  // namespace temper::cpu
