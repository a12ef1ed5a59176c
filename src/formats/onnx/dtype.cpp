#include <array>

#include "base/text.h"
#include "formats/onnx/file.h"

namespace temper::onnx {

struct Row {
  int number;
  DType dtype;
};
static constexpr std::array<Row, 23> kRows{{
    {1, DType::f32},         {2, DType::u8},        {3, DType::i8},          {4, DType::u16},
    {5, DType::i16},         {6, DType::i32},       {7, DType::i64},         {9, DType::boolean},
    {10, DType::f16},        {11, DType::f64},      {12, DType::u32},        {13, DType::u64},
    {16, DType::bf16},       {17, DType::f8e4m3fn}, {18, DType::f8e4m3fnuz}, {19, DType::f8e5m2},
    {20, DType::f8e5m2fnuz}, {21, DType::u4},       {22, DType::i4},         {23, DType::f4e2m1},
    {24, DType::f8e8m0},     {25, DType::u2},       {26, DType::i2},
}};

int to_number(DType dtype) {
  for (const Row& row : kRows)
    if (row.dtype == dtype) return row.number;
  return 0;
}

std::optional<DType> dtype_of_number(int number) {
  for (const Row& row : kRows)
    if (row.number == number) return row.dtype;
  return {};
}

std::string describe_number(int number) {
  if (number == 8) return "strings";
  if (number == 14 || number == 15) return "complex numbers";
  if (number == 0) return "no element type";
  return concat("element type ", number);
}

}  // namespace temper::onnx
