#include "temper/dtype.h"

#include <array>
#include <limits>

#include "base/check.h"

namespace temper {
namespace {

struct Row {
  std::string_view name, other;  // `other`: what NumPy or ONNX calls it
  int bits;
};

constexpr std::array<Row, kDTypeCount> kRows = {{
    {"bool", "boolean", 8},
    {"i2", "int2", 2},
    {"u2", "uint2", 2},
    {"i4", "int4", 4},
    {"u4", "uint4", 4},
    {"i8", "int8", 8},
    {"u8", "uint8", 8},
    {"i16", "int16", 16},
    {"u16", "uint16", 16},
    {"i32", "int32", 32},
    {"u32", "uint32", 32},
    {"i64", "int64", 64},
    {"u64", "uint64", 64},
    {"f4e2m1", "float4e2m1", 4},
    {"f8e4m3fn", "float8e4m3fn", 8},
    {"f8e4m3fnuz", "float8e4m3fnuz", 8},
    {"f8e5m2", "float8e5m2", 8},
    {"f8e5m2fnuz", "float8e5m2fnuz", 8},
    {"f8e8m0", "float8e8m0", 8},
    {"f16", "float16", 16},
    {"bf16", "bfloat16", 16},
    {"f32", "float32", 32},
    {"f64", "float64", 64},
}};

const Row& row(DType dtype) {
  const auto index = static_cast<size_t>(dtype);
  TEMPER_CHECK(index < kRows.size(), "dtype ", index);
  return kRows[index];
}

}  // namespace

std::string_view to_string(DType dtype) { return row(dtype).name; }

std::optional<DType> dtype_from_string(std::string_view name) {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (name == kRows[i].name || name == kRows[i].other) return static_cast<DType>(i);
  }
  if (name == "half") return DType::f16;
  if (name == "float") return DType::f32;
  if (name == "double") return DType::f64;
  return std::nullopt;
}

int bit_width(DType dtype) { return row(dtype).bits; }

int64_t byte_size(DType dtype, int64_t elements) {
  const int bits = bit_width(dtype);
  if (elements < 0) {
    throw Error(ErrorKind::invalid, concat("expected a number of elements of at least 0, found ", elements));
  }
  if (bits < 8) {
    const int per_byte = 8 / bits;
    return elements / per_byte + (elements % per_byte != 0);
  }
  if (elements > std::numeric_limits<int64_t>::max() / (bits / 8)) {
    throw Error(ErrorKind::invalid, concat(elements, " elements of ", to_string(dtype),
                                           " are more bytes than 64 bits can count"));
  }
  return elements * (bits / 8);
}

}  // namespace temper
