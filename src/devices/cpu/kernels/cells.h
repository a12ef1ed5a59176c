#pragma once
// C++ types of cells, and a call of a generic lambda with the type that a DType names.
#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "temper/dtype.h"

namespace temper::cpu {

struct Boolean {  // one byte, 0 or 1
  uint8_t value;
};

template <class T>
struct CellOf {
  using Type = T;
};

// call(CellOf<T>{}) with T: Boolean, [u]int8_t .. [u]int64_t, float, double. 16-bit floats count as float.
template <class Call>
auto with_cell(DType dtype, Call&& call) {
  switch (dtype) {
    case DType::boolean:
      return call(CellOf<Boolean>{});
    case DType::i8:
      return call(CellOf<int8_t>{});
    case DType::u8:
      return call(CellOf<uint8_t>{});
    case DType::i16:
      return call(CellOf<int16_t>{});
    case DType::u16:
      return call(CellOf<uint16_t>{});
    case DType::i32:
      return call(CellOf<int32_t>{});
    case DType::u32:
      return call(CellOf<uint32_t>{});
    case DType::i64:
      return call(CellOf<int64_t>{});
    case DType::u64:
      return call(CellOf<uint64_t>{});
    case DType::f64:
      return call(CellOf<double>{});
    default:
      TEMPER_CHECK(dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16, to_string(dtype));
      return call(CellOf<float>{});
  }
}

}  // namespace temper::cpu
