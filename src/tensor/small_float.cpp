#include "tensor/small_float.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace temper {
namespace {

constexpr int kE8M0Bias = 127;
constexpr uint32_t kE8M0Nan = 0xff;

double decode_e8m0(uint32_t code) {
  return code == kE8M0Nan ? std::numeric_limits<double>::quiet_NaN()
                          : std::ldexp(1.0, static_cast<int>(code) - kE8M0Bias);
}

uint32_t encode_e8m0(double value) {
  if (std::isnan(value) || value < 0) return kE8M0Nan;
  if (value <= std::ldexp(1.0, -kE8M0Bias)) return 0;
  if (value >= std::ldexp(1.0, kE8M0Bias)) return kE8M0Nan - 1;
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);  // [0.5, 1)
  const int below = exponent - 1 + kE8M0Bias;
  const bool up = fraction > 0.75 || (fraction == 0.75 && below % 2 == 1);
  return static_cast<uint32_t>(below + up);
}

}  // namespace

const SmallFloat& small_float(DType dtype) {
  static constexpr SmallFloat kF4 = {4, 1, 1, 0x7, false, false, 0};
  static constexpr SmallFloat kE4M3 = {8, 3, 7, 0x7e, false, false, 0x7f};
  static constexpr SmallFloat kE4M3uz = {8, 3, 8, 0x7f, false, true, 0x80};
  static constexpr SmallFloat kE5M2 = {8,     2,     15,  0x7b,
                                       false, false, 0x7f};  // has infinities, saturates all the same
  static constexpr SmallFloat kE5M2uz = {8, 2, 16, 0x7f, false, true, 0x80};
  static constexpr SmallFloat kF16 = {16, 10, 15, 0x7bff, true, false, 0x7e00};
  static constexpr SmallFloat kBf16 = {16, 7, 127, 0x7f7f, true, false, 0x7fc0};
  switch (dtype) {
    case DType::f4e2m1:
      return kF4;
    case DType::f8e4m3fn:
      return kE4M3;
    case DType::f8e4m3fnuz:
      return kE4M3uz;
    case DType::f8e5m2:
      return kE5M2;
    case DType::f8e5m2fnuz:
      return kE5M2uz;
    case DType::f16:
      return kF16;
    case DType::bf16:
      return kBf16;
    default:
      break;
  }
  TEMPER_CHECK(false, to_string(dtype), " is no small float");
}

double decode_small(DType dtype, uint32_t code) {
  if (dtype == DType::f8e8m0) return decode_e8m0(code);
  const SmallFloat& format = small_float(dtype);
  const uint32_t sign_bit = 1u << (format.bits - 1);
  const uint32_t magnitude = code & (sign_bit - 1);
  const double sign = (code & sign_bit) ? -1.0 : 1.0;
  if (format.unsigned_zero && code == sign_bit) return std::numeric_limits<double>::quiet_NaN();
  if (magnitude > format.largest) {
    const bool infinity = magnitude == format.largest + 1 && dtype != DType::f8e4m3fn;
    return infinity ? sign * std::numeric_limits<double>::infinity()
                    : std::numeric_limits<double>::quiet_NaN();
  }
  const uint32_t mantissa = magnitude & ((1u << format.mantissa_bits) - 1);
  const int exponent = static_cast<int>(magnitude >> format.mantissa_bits);
  const uint32_t whole = exponent == 0 ? mantissa : mantissa | (1u << format.mantissa_bits);
  return sign * std::ldexp(whole, std::max(exponent, 1) - format.bias - format.mantissa_bits);
}

uint32_t encode_small(DType dtype, double value) {
  if (dtype == DType::f8e8m0) return encode_e8m0(value);
  const SmallFloat& format = small_float(dtype);
  if (std::isnan(value)) return format.nan ? format.nan : format.largest;
  const uint32_t overflow = format.infinities ? format.largest + 1 : format.largest;
  const double size = std::fabs(value);
  uint32_t magnitude = 0;
  if (std::isinf(size)) {
    magnitude = overflow;
  } else if (size > 0) {
    const int exponent = std::max(std::ilogb(size), 1 - format.bias);
    // At most 1024, where every format has overflowed: keeps the shift below in range.
    const auto field = static_cast<uint32_t>(std::min(exponent + format.bias - 1, 1024));
    // A mantissa that rounds up to the next power of two carries into the exponent by itself.
    const double whole = std::nearbyint(std::ldexp(size, format.mantissa_bits - exponent));
    magnitude = (field << format.mantissa_bits) + static_cast<uint32_t>(whole);
    if (magnitude > format.largest) magnitude = overflow;
  }
  const bool negative = std::signbit(value) && !(format.unsigned_zero && magnitude == 0);
  return magnitude | (negative ? 1u << (format.bits - 1) : 0);
}

}  // namespace temper
