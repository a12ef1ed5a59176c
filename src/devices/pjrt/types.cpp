#include "devices/pjrt/types.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace temper::pjrt {

namespace {

struct Row {
  DType dtype;
  std::string_view name;
  BufferType buffer;
};

constexpr std::array<Row, 17> kRows{{{DType::boolean, "i1", BufferType::pred},
                                     {DType::i8, "i8", BufferType::s8},
                                     {DType::u8, "ui8", BufferType::u8},
                                     {DType::i16, "i16", BufferType::s16},
                                     {DType::u16, "ui16", BufferType::u16},
                                     {DType::i32, "i32", BufferType::s32},
                                     {DType::u32, "ui32", BufferType::u32},
                                     {DType::i64, "i64", BufferType::s64},
                                     {DType::u64, "ui64", BufferType::u64},
                                     {DType::f8e4m3fn, "f8E4M3FN", BufferType::f8e4m3fn},
                                     {DType::f8e4m3fnuz, "f8E4M3FNUZ", BufferType::f8e4m3fnuz},
                                     {DType::f8e5m2, "f8E5M2", BufferType::f8e5m2},
                                     {DType::f8e5m2fnuz, "f8E5M2FNUZ", BufferType::f8e5m2fnuz},
                                     {DType::f16, "f16", BufferType::f16},
                                     {DType::bf16, "bf16", BufferType::bf16},
                                     {DType::f32, "f32", BufferType::f32},
                                     {DType::f64, "f64", BufferType::f64}}};

const Row& row_of(DType dtype) {
  const auto* const row = std::ranges::find(kRows, dtype, &Row::dtype);
  TEMPER_CHECK(row != kRows.end(), to_string(dtype));
  return *row;
}

}  // namespace

bool is_known(DType dtype) { return std::ranges::find(kRows, dtype, &Row::dtype) != kRows.end(); }
std::string_view element_name(DType dtype) { return row_of(dtype).name; }
BufferType buffer_type(DType dtype) { return row_of(dtype).buffer; }

std::string type_text(const Type& type) {
  std::string text = "tensor<";
  for (const int64_t size : type.shape.sizes()) text += concat(size, "x");
  return concat(text, element_name(type.dtype), ">");
}

}  // namespace temper::pjrt
