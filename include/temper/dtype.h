#pragma once
// Element types. All of ONNX's numeric types can be stored; arithmetic is defined by the ops.
#include <cstdint>
#include <optional>
#include <string_view>

#include "temper/export.h"

namespace temper {

enum class DType : uint8_t {
  boolean,  // one byte, 0 or 1
  i2,
  u2,  // packed, four to a byte, low bits first
  i4,
  u4,  // packed, two to a byte, low bits first
  i8,
  u8,
  i16,
  u16,
  i32,
  u32,
  i64,
  u64,
  f4e2m1,  // packed as i4
  f8e4m3fn,
  f8e4m3fnuz,
  f8e5m2,
  f8e5m2fnuz,
  f8e8m0,
  f16,
  bf16,
  f32,
  f64,
};
inline constexpr int kDTypeCount = static_cast<int>(DType::f64) + 1;

TEMPER_API std::string_view to_string(DType dtype);                   // "f32"
TEMPER_API std::optional<DType> dtype_from_string(std::string_view);  // also "float32", "bool", "int64", ...
TEMPER_API int bit_width(DType dtype);                                // 1-byte bool counts as 8
TEMPER_API int64_t byte_size(DType dtype, int64_t elements);          // packed types round up to whole bytes

constexpr bool is_float(DType d) { return d >= DType::f4e2m1; }
constexpr bool is_integer(DType d) { return d >= DType::i2 && d <= DType::u64; }
constexpr bool is_signed(DType d) {
  return is_float(d) || d == DType::i2 || d == DType::i4 || d == DType::i8 || d == DType::i16 ||
         d == DType::i32 || d == DType::i64;
}
constexpr bool is_packed(DType d) { return (d >= DType::i2 && d <= DType::u4) || d == DType::f4e2m1; }

}  // namespace temper
