#pragma once
// Elements of a dtype as numbers to sum up.
#include <cmath>

#include "base/check.h"
#include "temper/tensor.h"

namespace temper::cpu {

template <class Stored, class Sum>
struct Plain {
  using Storage = Stored;
  using Number = Sum;
  static Number load(Storage value) { return static_cast<Number>(value); }
  static Storage store(Number value) { return static_cast<Storage>(value); }
};
struct F16Element {
  using Storage = uint16_t;
  using Number = float;
  static float load(uint16_t bits) { return f16_to_f32(bits); }
  static uint16_t store(float value) { return f32_to_f16(value); }
};
struct Bf16Element {
  using Storage = uint16_t;
  using Number = float;
  static float load(uint16_t bits) { return bf16_to_f32(bits); }
  static uint16_t store(float value) { return f32_to_bf16(value); }
};

// Calls function(element type) for a dtype that contracts().
template <class Function>
auto with_elements(DType dtype, Function function) {
  switch (dtype) {
    case DType::f64:
      return function(Plain<double, double>());
    case DType::f32:
      return function(Plain<float, double>());
    case DType::f16:
      return function(F16Element());
    case DType::bf16:
      return function(Bf16Element());
    case DType::i64:
      return function(Plain<int64_t, uint64_t>());
    case DType::u64:
      return function(Plain<uint64_t, uint64_t>());
    case DType::i32:
      return function(Plain<int32_t, uint64_t>());
    case DType::u32:
      return function(Plain<uint32_t, uint64_t>());
    case DType::i16:
      return function(Plain<int16_t, uint64_t>());
    case DType::u16:
      return function(Plain<uint16_t, uint64_t>());
    case DType::i8:
      return function(Plain<int8_t, uint64_t>());
    default:
      TEMPER_CHECK(dtype == DType::u8, to_string(dtype));
      return function(Plain<uint8_t, uint64_t>());
  }
}

}  // namespace temper::cpu
