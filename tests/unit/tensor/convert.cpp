#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "temper/tensor.h"
#include "tensor/small_float.h"

namespace temper {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::numeric_limits<double>::quiet_NaN();
const DType kF8[] = {DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz, DType::f8e8m0};

bool same(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

Tensor tensor_of_bits(DType dtype, int count) {
  auto tensor = Tensor(Type{dtype, {count}});
  for (int i = 0; i < count; ++i) {
    if (bit_width(dtype) == 16) {
      tensor.mutable_values<uint16_t>()[static_cast<size_t>(i)] = static_cast<uint16_t>(i);
    } else {
      tensor.mutable_values<uint8_t>()[static_cast<size_t>(i)] = static_cast<uint8_t>(i);
    }
  }
  return tensor;
}

TEST(Convert, EveryF16PatternSurvivesF32) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    ASSERT_EQ(f32_to_f16(f16_to_f32(static_cast<uint16_t>(bits))), bits);
    ASSERT_TRUE(same(f16_to_f32(static_cast<uint16_t>(bits)), decode_small(DType::f16, bits))) << bits;
  }
}

TEST(Convert, EveryBf16PatternSurvivesF32) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    ASSERT_EQ(f32_to_bf16(bf16_to_f32(static_cast<uint16_t>(bits))), bits);
    ASSERT_TRUE(same(bf16_to_f32(static_cast<uint16_t>(bits)), decode_small(DType::bf16, bits))) << bits;
  }
}

TEST(Convert, EverySmallPatternSurvivesDouble) {
  for (const DType dtype : {DType::f16, DType::bf16, kF8[0], kF8[1], kF8[2], kF8[3], kF8[4]}) {
    const Tensor all = tensor_of_bits(dtype, 1 << bit_width(dtype));
    const std::vector<double> values = to_doubles(all);
    const std::vector<double> again = to_doubles(from_doubles(all.type(), values));
    for (size_t i = 0; i < values.size(); ++i) {
      const bool saturates = std::isinf(values[i]) && dtype == DType::f8e5m2;
      const double expected = saturates ? std::copysign(57344, values[i]) : values[i];
      ASSERT_TRUE(same(again[i], expected)) << to_string(dtype) << " " << i << ": " << again[i];
      ASSERT_TRUE(same(round_to(dtype, values[i]), expected));
    }
  }
}

// Between two neighbours: below the middle down, above up, the middle itself to the even code.
TEST(Convert, SmallFloatsRoundToNearestEven) {
  for (const DType dtype : {DType::f4e2m1, DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2,
                            DType::f8e5m2fnuz, DType::f8e8m0, DType::f16, DType::bf16}) {
    const uint32_t last = dtype == DType::f8e8m0 ? 0xfe : small_float(dtype).largest;
    for (uint32_t code = 0; code < last; ++code) {
      const double low = decode_small(dtype, code), high = decode_small(dtype, code + 1);
      ASSERT_LT(low, high);
      const double middle = low + (high - low) / 2;
      ASSERT_EQ(encode_small(dtype, std::nextafter(middle, low)), code) << to_string(dtype);
      ASSERT_EQ(encode_small(dtype, std::nextafter(middle, high)), code + 1) << to_string(dtype);
      ASSERT_EQ(encode_small(dtype, middle), code + code % 2) << to_string(dtype);
    }
  }
}

TEST(Convert, F32ToSixteenBitsAgreesWithDouble) {
  std::mt19937 random(1);
  for (int i = 0; i < 2'000'000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (std::isnan(value)) continue;
    ASSERT_EQ(f32_to_f16(value), encode_small(DType::f16, value)) << value;
    ASSERT_EQ(f32_to_bf16(value), encode_small(DType::bf16, value)) << value;
  }
  for (const float value : {65504.F, 65519.996F, 65520.F, 6.1035156e-5F, 5.9604645e-8F, 2.9802322e-8F,
                            2.9802326e-8F, 3.3895e38F}) {
    ASSERT_EQ(f32_to_f16(value), encode_small(DType::f16, value)) << value;
    ASSERT_EQ(f32_to_bf16(-value), encode_small(DType::bf16, -value)) << value;
  }
}

TEST(Convert, KnownSmallValues) {
  EXPECT_EQ(encode_small(DType::f8e4m3fn, 448), 0x7eu);
  EXPECT_EQ(encode_small(DType::f8e4m3fn, 1e9), 0x7eu);
  EXPECT_EQ(encode_small(DType::f8e4m3fn, -kInfinity), 0xfeu);
  EXPECT_EQ(encode_small(DType::f8e4m3fnuz, 240), 0x7fu);
  EXPECT_EQ(encode_small(DType::f8e4m3fnuz, -0.0), 0u);
  EXPECT_EQ(encode_small(DType::f8e4m3fnuz, kNan), 0x80u);
  EXPECT_EQ(encode_small(DType::f8e5m2, 1e9), 0x7bu);
  EXPECT_EQ(decode_small(DType::f8e5m2, 0x7c), kInfinity);
  EXPECT_EQ(decode_small(DType::f8e5m2fnuz, 0x7f), 57344);
  EXPECT_EQ(decode_small(DType::f8e8m0, 127), 1);
  EXPECT_TRUE(std::isnan(decode_small(DType::f8e8m0, 0xff)));
  EXPECT_EQ(encode_small(DType::f8e8m0, 0), 0u);
  EXPECT_EQ(encode_small(DType::f4e2m1, 5), 6u);  // between 4 and 6, to even
  EXPECT_EQ(encode_small(DType::f4e2m1, kNan), 7u);
  EXPECT_EQ(encode_small(DType::f4e2m1, -100), 0xfu);
  EXPECT_EQ(encode_small(DType::f16, 65520), 0x7c00u);
  EXPECT_EQ(encode_small(DType::bf16, 1e300), 0x7f80u);
  EXPECT_EQ(encode_small(DType::f16, 0x1p-25), 0u);
  EXPECT_EQ(encode_small(DType::f16, std::numeric_limits<double>::denorm_min()), 0u);
}

TEST(Convert, PacksLowBitsFirst) {
  const Tensor i4 = from_int64s(Type{DType::i4, {3}}, std::vector<int64_t>{1, -1, 7});
  EXPECT_EQ(i4.bytes(), 2);
  EXPECT_EQ(i4.data()[0], std::byte{0xf1});
  EXPECT_EQ(i4.data()[1], std::byte{0x07});
  const Tensor u2 = from_int64s(Type{DType::u2, {5}}, std::vector<int64_t>{3, 2, 1, 0, 1});
  EXPECT_EQ(u2.bytes(), 2);
  EXPECT_EQ(u2.data()[0], std::byte{0b00011011});
  EXPECT_EQ(u2.data()[1], std::byte{0b01});
  EXPECT_EQ(to_int64s(from_int64s(Type{DType::i2, {4}}, std::vector<int64_t>{-2, -1, 0, 1})),
            (std::vector<int64_t>{-2, -1, 0, 1}));
  EXPECT_EQ(to_int64s(from_int64s(Type{DType::u4, {3}}, std::vector<int64_t>{15, 16, -1})),
            (std::vector<int64_t>{15, 0, 15}));
  EXPECT_EQ(to_doubles(from_doubles(Type{DType::f4e2m1, {3}}, std::vector<double>{-0.5, 3, 1.2})),
            (std::vector<double>{-0.5, 3, 1}));
}

TEST(Convert, IntegersWrapAndRoundToEven) {
  const std::vector<double> values = {2.5, 3.5, -1, 300, kNan, kInfinity, 0x1p64 - 2048, -0x1p63, 0x1p63 * 3};
  EXPECT_EQ(to_int64s(from_doubles(Type{DType::u8, {9}}, values)),
            (std::vector<int64_t>{2, 4, 255, 44, 0, 0, 0, 0, 0}));
  EXPECT_EQ(to_int64s(from_doubles(Type{DType::i8, {9}}, values)),
            (std::vector<int64_t>{2, 4, -1, 44, 0, 0, 0, 0, 0}));
  const std::vector<int64_t> wide = to_int64s(from_doubles(Type{DType::i64, {9}}, values));
  EXPECT_EQ(wide[6], -2048);
  EXPECT_EQ(wide[7], std::numeric_limits<int64_t>::min());
  EXPECT_EQ(wide[8], std::numeric_limits<int64_t>::min());
  EXPECT_EQ(round_to(DType::i16, 40000), 40000 - 65536);
  EXPECT_EQ(round_to(DType::i4, 9), -7);
  EXPECT_EQ(round_to(DType::u64, -1), 0x1p64);
  EXPECT_EQ(round_to(DType::boolean, -3), 1);
  EXPECT_EQ(round_to(DType::f32, 1.0 + 0x1p-40), 1);
}

TEST(Convert, EveryIntegerTypeKeepsItsLimits) {
  for (int i = static_cast<int>(DType::i2); i <= static_cast<int>(DType::u64); ++i) {
    const auto dtype = static_cast<DType>(i);
    const int bits = bit_width(dtype);
    const int64_t low = is_signed(dtype) ? -(int64_t{1} << (bits - 2)) * 2 : 0;
    const int64_t high = is_signed(dtype) ? ~low : bits == 64 ? -1 : (int64_t{1} << bits) - 1;
    const std::vector<int64_t> limits = {low, high, 1, 0};
    EXPECT_EQ(to_int64s(from_int64s(Type{dtype, {4}}, limits)), limits) << to_string(dtype);
    if (bits < 64) {
      EXPECT_EQ(to_doubles(from_int64s(Type{dtype, {4}}, limits)),
                std::vector<double>(limits.begin(), limits.end()));
    }
  }
  EXPECT_EQ(to_doubles(from_int64s(Type{DType::u64, {1}}, std::vector<int64_t>{-1})),
            std::vector<double>{0x1p64});
}

TEST(Convert, LongIntegersRoundOnce) {
  // Just above the middle of two bf16 values: rounding to double first would land on it and go down.
  const int64_t above = (int64_t{0x81} << 54) + (int64_t{1} << 53) + 1;
  const int64_t middle = above - 1;
  for (const int64_t sign : {1, -1}) {
    const std::vector<int64_t> values = {sign * middle, sign * above,
                                         sign * ((int64_t{0x80} << 54) + (int64_t{1} << 53))};
    const std::vector<double> out = to_doubles(from_int64s(Type{DType::bf16, {3}}, values));
    const auto s = static_cast<double>(sign);
    EXPECT_EQ(out, (std::vector<double>{s * 0x82p54, s * 0x82p54, s * 0x80p54}));
  }
  const int64_t low = (int64_t{0x80} << 54) + (int64_t{1} << 53) + 1;
  EXPECT_EQ(to_doubles(from_int64s(Type{DType::bf16, {1}}, std::vector<int64_t>{low})),
            std::vector<double>{0x81p54});
  EXPECT_EQ(to_doubles(from_int64s(Type{DType::bf16, {1}}, std::vector<int64_t>{-low})),
            std::vector<double>{-0x81p54});
}

TEST(Convert, BooleansOfAnyByteAreTrue) {
  Tensor tensor(Type{DType::boolean, {3}});
  tensor.mutable_data()[1] = std::byte{2};
  EXPECT_EQ(to_doubles(tensor), (std::vector<double>{0, 1, 0}));
  EXPECT_EQ(to_int64s(from_doubles(Type{DType::boolean, {3}}, std::vector<double>{0.1, kNan, 0})),
            (std::vector<int64_t>{1, 1, 0}));
}

}  // namespace
}  // namespace temper
