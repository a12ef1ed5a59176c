#include "codegen/dialect.h"

#include "base/text.h"

namespace temper {

namespace {

// bf16 rounds to nearest even and keeps NaN one; the rest is what C leaves open: division by 0, shifts by the
// width, powers.
constexpr std::string_view kShared = R"(
INLINE f32 bf16_to_f32(u16 x) { return AS_F32((u32)x << 16); }
INLINE u16 f32_to_bf16(f32 x) {
  const u32 bits = AS_U32(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (u16)((bits >> 16) | 64u);
  return (u16)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
INLINE u64 integer_power(u64 base, u64 left) {
  u64 result = 1;
  for (; left; left >>= 1, base *= base)
    if (left & 1) result *= base;
  return result;
}
INLINE i64 signed_power(i64 x, i64 y) {
  if (y < 0) return x == 1 ? 1 : x == -1 ? ((y & 1) ? -1 : 1) : 0;
  return (i64)integer_power((u64)x, (u64)y);
}
INLINE i64 signed_quotient(i64 x, i64 y) {
  return y == 0 ? 0 : y == -1 ? (i64)(0 - (u64)x) : x / y;
}
INLINE i64 signed_remainder(i64 x, i64 y) { return y == 0 || y == -1 ? 0 : x % y; }
INLINE u64 unsigned_quotient(u64 x, u64 y) { return y == 0 ? 0 : x / y; }
INLINE u64 unsigned_remainder(u64 x, u64 y) { return y == 0 ? 0 : x % y; }
INLINE f32 larger_f32(f32 x, f32 y) { return isnan(x) || x > y ? x : y; }
INLINE f32 smaller_f32(f32 x, f32 y) { return isnan(x) || x < y ? x : y; }
INLINE f32 gelu_f32(f32 x) { return 0.5f * x * erfc(x * -0.70710678118654752f); }
INLINE f32 gelu_slope_f32(f32 x) {
  return 0.5f * erfc(x * -0.70710678118654752f) + x * 0.39894228040143268f * exp(-0.5f * x * x);
}
#ifdef HAS_F64
INLINE f64 larger_f64(f64 x, f64 y) { return isnan(x) || x > y ? x : y; }
INLINE f64 smaller_f64(f64 x, f64 y) { return isnan(x) || x < y ? x : y; }
INLINE f64 gelu_f64(f64 x) { return 0.5 * x * erfc(x * -0.70710678118654752440); }
INLINE f64 gelu_slope_f64(f64 x) {
  return 0.5 * erfc(x * -0.70710678118654752440) + x * 0.39894228040143267794 * exp(-0.5 * x * x);
}
#endif
)";

}  // namespace

std::string preamble(const Dialect& dialect) { return concat(dialect.words, kShared); }

}  // namespace temper
