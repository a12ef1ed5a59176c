// Instructions over cells of every type, as plain loops; f32 has most of its own in simd_block.cpp.
#include "devices/cpu/kernels/block.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "devices/cpu/kernels/cells.h"

namespace temper::cpu {

namespace {

template <class T, class R, class F>
void unary(const void* a, const void*, const void*, void* out, int64_t n) {
  const auto* x = static_cast<const T*>(a);
  auto* y = static_cast<R*>(out);
  for (int64_t i = 0; i < n; ++i) y[i] = F()(x[i]);
}

template <class T, class R, class F>
void binary(const void* a, const void* b, const void*, void* out, int64_t n) {
  const auto *x = static_cast<const T*>(a), *y = static_cast<const T*>(b);
  auto* z = static_cast<R*>(out);
  for (int64_t i = 0; i < n; ++i) z[i] = F()(x[i], y[i]);
}

template <class T>
void select(const void* a, const void* b, const void* c, void* out, int64_t n) {
  const auto* p = static_cast<const uint8_t*>(a);
  const auto *x = static_cast<const T*>(b), *y = static_cast<const T*>(c);
  auto* z = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) z[i] = p[i] ? x[i] : y[i];
}

template <int kBytes>
void copy(const void* a, const void*, const void*, void* out, int64_t n) {
  std::memmove(out, a, static_cast<size_t>(n) * kBytes);
}

BlockFunction copy_function(int64_t bytes) {
  return bytes == 1 ? copy<1> : bytes == 2 ? copy<2> : bytes == 4 ? copy<4> : copy<8>;
}

// Integers wrap, so they are computed as unsigned; small ones not in int, whose products may overflow.
template <class T>
using Wide = std::conditional_t<sizeof(T) < 4, uint32_t, std::make_unsigned_t<T>>;

template <class T>
constexpr int kBits = 8 * static_cast<int>(sizeof(T));

template <class T>
T integer_power(T base, T exponent) {
  if (exponent < 0) {  // 1 / base^-exponent, truncated
    if (base == 1) return 1;
    if (std::is_signed_v<T> && base == static_cast<T>(-1))
      return exponent % 2 == 0 ? T{1} : static_cast<T>(-1);
    return 0;
  }
  Wide<T> result = 1, square = static_cast<Wide<T>>(base);
  for (auto e = static_cast<Wide<T>>(exponent); e; e >>= 1, square *= square)
    if (e & 1) result *= square;
  return static_cast<T>(result);
}

// clang-format off
struct Abs { template <class T> T operator()(T x) const { return x < 0 ? static_cast<T>(Wide<T>{0} - static_cast<Wide<T>>(x)) : x; } double operator()(double x) const { return std::abs(x); } };
struct Neg { template <class T> T operator()(T x) const { return static_cast<T>(Wide<T>{0} - static_cast<Wide<T>>(x)); } double operator()(double x) const { return -x; } };
struct Sign { template <class T> T operator()(T x) const { return static_cast<T>((x > 0) - (x < 0)); } double operator()(double x) const { return x > 0 ? 1 : x < 0 ? -1 : x; } };
struct Not { template <class T> T operator()(T x) const { return static_cast<T>(~x); } Boolean operator()(Boolean x) const { return {static_cast<uint8_t>(x.value ^ 1)}; } };
struct Add { template <class T> T operator()(T x, T y) const { return static_cast<T>(static_cast<Wide<T>>(x) + static_cast<Wide<T>>(y)); } double operator()(double x, double y) const { return x + y; } };
struct Sub { template <class T> T operator()(T x, T y) const { return static_cast<T>(static_cast<Wide<T>>(x) - static_cast<Wide<T>>(y)); } double operator()(double x, double y) const { return x - y; } };
struct Mul { template <class T> T operator()(T x, T y) const { return static_cast<T>(static_cast<Wide<T>>(x) * static_cast<Wide<T>>(y)); } double operator()(double x, double y) const { return x * y; } };
struct Div { template <class T> T operator()(T x, T y) const { if (y == 0) return 0; if (std::is_signed_v<T> && y == static_cast<T>(-1)) return Neg()(x); return static_cast<T>(x / y); } double operator()(double x, double y) const { return x / y; } };
struct Rem { template <class T> T operator()(T x, T y) const { if (y == 0 || (std::is_signed_v<T> && y == static_cast<T>(-1))) return 0; return static_cast<T>(x % y); } double operator()(double x, double y) const { return std::fmod(x, y); } float operator()(float x, float y) const { return std::fmod(x, y); } };
struct Pow { template <class T> T operator()(T x, T y) const { return integer_power(x, y); } double operator()(double x, double y) const { return std::pow(x, y); } float operator()(float x, float y) const { return std::pow(x, y); } };
struct Max { template <class T> T operator()(T x, T y) const { return x != x ? x : x > y ? x : y; } Boolean operator()(Boolean x, Boolean y) const { return {static_cast<uint8_t>(x.value | y.value)}; } };
struct Min { template <class T> T operator()(T x, T y) const { return x != x ? x : x < y ? x : y; } Boolean operator()(Boolean x, Boolean y) const { return {static_cast<uint8_t>(x.value & y.value)}; } };
struct And { template <class T> T operator()(T x, T y) const { return static_cast<T>(x & y); } Boolean operator()(Boolean x, Boolean y) const { return {static_cast<uint8_t>(x.value & y.value)}; } };
struct Or { template <class T> T operator()(T x, T y) const { return static_cast<T>(x | y); } Boolean operator()(Boolean x, Boolean y) const { return {static_cast<uint8_t>(x.value | y.value)}; } };
struct Xor { template <class T> T operator()(T x, T y) const { return static_cast<T>(x ^ y); } Boolean operator()(Boolean x, Boolean y) const { return {static_cast<uint8_t>(x.value ^ y.value)}; } };
struct ShiftLeft { template <class T> T operator()(T x, T y) const { const auto by = static_cast<std::make_unsigned_t<T>>(y); return by >= kBits<T> ? T{0} : static_cast<T>(static_cast<Wide<T>>(x) << by); } };
struct ShiftRightLogical { template <class T> T operator()(T x, T y) const { using U = std::make_unsigned_t<T>; const auto by = static_cast<U>(y); return by >= kBits<T> ? T{0} : static_cast<T>(static_cast<U>(x) >> by); } };
struct ShiftRightArithmetic { template <class T> T operator()(T x, T y) const { using U = std::make_unsigned_t<T>; const auto by = std::min<U>(static_cast<U>(y), kBits<T> - 1); return static_cast<T>(static_cast<std::make_signed_t<T>>(x) >> by); } };
#define TEMPER_COMPARE(name, op) struct name { template <class T> uint8_t operator()(T x, T y) const { return x op y; } uint8_t operator()(Boolean x, Boolean y) const { return x.value op y.value; } };
TEMPER_COMPARE(Equal, ==) TEMPER_COMPARE(NotEqual, !=) TEMPER_COMPARE(Less, <) TEMPER_COMPARE(LessEqual, <=) TEMPER_COMPARE(Greater, >) TEMPER_COMPARE(GreaterEqual, >=)
#define TEMPER_REAL(name, expression) struct name { double operator()(double x) const { return expression; } };
TEMPER_REAL(Exp, std::exp(x)) TEMPER_REAL(Expm1, std::expm1(x)) TEMPER_REAL(Log, std::log(x)) TEMPER_REAL(Log1p, std::log1p(x))
TEMPER_REAL(Sqrt, std::sqrt(x)) TEMPER_REAL(Rsqrt, 1 / std::sqrt(x)) TEMPER_REAL(Sin, std::sin(x)) TEMPER_REAL(Cos, std::cos(x))
TEMPER_REAL(Tanh, std::tanh(x)) TEMPER_REAL(Erf, std::erf(x)) TEMPER_REAL(Floor, std::floor(x)) TEMPER_REAL(Ceil, std::ceil(x)) TEMPER_REAL(Round, std::nearbyint(x))
TEMPER_REAL(Gelu, x * std::erfc(-x / std::numbers::sqrt2) / 2)
TEMPER_REAL(GeluSlope, (std::erfc(-x / std::numbers::sqrt2) + x * std::exp(-x * x / 2) * std::numbers::inv_sqrtpi * std::numbers::sqrt2) / 2)
TEMPER_REAL(Sigmoid, x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)))
struct IsFinite { template <class T> uint8_t operator()(T x) const { return std::isfinite(x); } };
// clang-format on

template <class T>
BlockFunction comparison(TapeOp op) {
  switch (op) {
    case TapeOp::eq:
      return binary<T, uint8_t, Equal>;
    case TapeOp::ne:
      return binary<T, uint8_t, NotEqual>;
    case TapeOp::lt:
      return binary<T, uint8_t, Less>;
    case TapeOp::le:
      return binary<T, uint8_t, LessEqual>;
    case TapeOp::gt:
      return binary<T, uint8_t, Greater>;
    case TapeOp::ge:
      return binary<T, uint8_t, GreaterEqual>;
    default:
      return nullptr;
  }
}

template <class T>
BlockFunction integer_function(TapeOp op) {
  switch (op) {
    case TapeOp::abs:
      return unary<T, T, Abs>;
    case TapeOp::neg:
      return unary<T, T, Neg>;
    case TapeOp::sign:
      return unary<T, T, Sign>;
    case TapeOp::logical_not:
      return unary<T, T, Not>;
    case TapeOp::floor:
    case TapeOp::ceil:
    case TapeOp::round:
      return copy<sizeof(T)>;
    case TapeOp::add:
      return binary<T, T, Add>;
    case TapeOp::sub:
      return binary<T, T, Sub>;
    case TapeOp::mul:
      return binary<T, T, Mul>;
    case TapeOp::div:
      return binary<T, T, Div>;
    case TapeOp::rem:
      return binary<T, T, Rem>;
    case TapeOp::pow:
      return binary<T, T, Pow>;
    case TapeOp::max:
      return binary<T, T, Max>;
    case TapeOp::min:
      return binary<T, T, Min>;
    case TapeOp::bit_and:
      return binary<T, T, And>;
    case TapeOp::bit_or:
      return binary<T, T, Or>;
    case TapeOp::bit_xor:
      return binary<T, T, Xor>;
    case TapeOp::shift_left:
      return binary<T, T, ShiftLeft>;
    case TapeOp::shift_right_logical:
      return binary<T, T, ShiftRightLogical>;
    case TapeOp::shift_right_arithmetic:
      return binary<T, T, ShiftRightArithmetic>;
    default:
      return comparison<T>(op);
  }
}

BlockFunction boolean_function(TapeOp op) {
  switch (op) {
    case TapeOp::logical_not:
      return unary<Boolean, Boolean, Not>;
    case TapeOp::max:
    case TapeOp::bit_or:
    case TapeOp::add:
      return binary<Boolean, Boolean, Or>;
    case TapeOp::min:
    case TapeOp::bit_and:
    case TapeOp::mul:
      return binary<Boolean, Boolean, And>;
    case TapeOp::bit_xor:
      return binary<Boolean, Boolean, Xor>;
    default:
      return comparison<Boolean>(op);
  }
}

BlockFunction f32_function(TapeOp op, int uniform) {
  switch (op) {
    case TapeOp::rem:
      return binary<float, float, Rem>;
    case TapeOp::pow:
      return binary<float, float, Pow>;
    case TapeOp::is_finite:
      return unary<float, uint8_t, IsFinite>;
    default:
      return simd_f32(op, uniform);
  }
}

BlockFunction f64_binary(TapeOp op) {
  switch (op) {
    case TapeOp::add:
      return binary<double, double, Add>;
    case TapeOp::sub:
      return binary<double, double, Sub>;
    case TapeOp::mul:
      return binary<double, double, Mul>;
    case TapeOp::div:
      return binary<double, double, Div>;
    case TapeOp::rem:
      return binary<double, double, Rem>;
    case TapeOp::pow:
      return binary<double, double, Pow>;
    case TapeOp::max:
      return binary<double, double, Max>;
    case TapeOp::min:
      return binary<double, double, Min>;
    default:
      return comparison<double>(op);
  }
}

BlockFunction f64_function(TapeOp op) {
  switch (op) {
    case TapeOp::abs:
      return unary<double, double, Abs>;
    case TapeOp::neg:
      return unary<double, double, Neg>;
    case TapeOp::sign:
      return unary<double, double, Sign>;
    case TapeOp::exp:
      return unary<double, double, Exp>;
    case TapeOp::expm1:
      return unary<double, double, Expm1>;
    case TapeOp::log:
      return unary<double, double, Log>;
    case TapeOp::log1p:
      return unary<double, double, Log1p>;
    case TapeOp::sqrt:
      return unary<double, double, Sqrt>;
    case TapeOp::rsqrt:
      return unary<double, double, Rsqrt>;
    case TapeOp::sin:
      return unary<double, double, Sin>;
    case TapeOp::cos:
      return unary<double, double, Cos>;
    case TapeOp::tanh:
      return unary<double, double, Tanh>;
    case TapeOp::sigmoid:
      return unary<double, double, Sigmoid>;
    case TapeOp::erf:
      return unary<double, double, Erf>;
    case TapeOp::gelu:
      return unary<double, double, Gelu>;
    case TapeOp::gelu_slope:
      return unary<double, double, GeluSlope>;
    case TapeOp::floor:
      return unary<double, double, Floor>;
    case TapeOp::ceil:
      return unary<double, double, Ceil>;
    case TapeOp::round:
      return unary<double, double, Round>;
    case TapeOp::is_finite:
      return unary<double, uint8_t, IsFinite>;
    default:
      return f64_binary(op);
  }
}

template <class T, class R>
struct Convert {
  R operator()(T x) const {
    if constexpr (std::is_same_v<T, Boolean>) {
      if constexpr (std::is_same_v<R, Boolean>)
        return x;
      else
        return static_cast<R>(x.value);
    } else if constexpr (std::is_same_v<R, Boolean>) {
      return {x != 0};
    } else if constexpr (std::is_floating_point_v<T> && std::is_integral_v<R>) {
      // the limits as floats may round up to one past the range, hence >=
      if (x >= static_cast<T>(std::numeric_limits<R>::max())) return std::numeric_limits<R>::max();
      if (x <= static_cast<T>(std::numeric_limits<R>::min())) return std::numeric_limits<R>::min();
      return x != x ? R{0} : static_cast<R>(x);
    } else {
      return static_cast<R>(x);
    }
  }
};

template <DType kTo, class T>
struct ConvertToHalf {
  float operator()(T x) const {
    return static_cast<float>(round_to(kTo, static_cast<double>(Convert<T, double>()(x))));
  }
};

// f32 to a 16-bit float and back, a piece at a time.
template <DType kTo>
void round_f32(const void* a, const void*, const void*, void* out, int64_t n) {
  const BlockFunction store = simd_store(kTo), load = simd_load(kTo);
  uint16_t piece[256];
  for (int64_t i = 0; i < n; i += 256) {
    const int64_t count = std::min<int64_t>(256, n - i);
    store(static_cast<const float*>(a) + i, nullptr, nullptr, piece, count);
    load(piece, nullptr, nullptr, static_cast<float*>(out) + i, count);
  }
}

template <class T>
BlockFunction convert_from(DType to) {
  if (to == DType::f16 || to == DType::bf16) {
    if constexpr (std::is_same_v<T, float>)
      return to == DType::f16 ? round_f32<DType::f16> : round_f32<DType::bf16>;
    else
      return to == DType::f16 ? unary<T, float, ConvertToHalf<DType::f16, T>>
                              : unary<T, float, ConvertToHalf<DType::bf16, T>>;
  }
  return with_cell(to, []<class R>(CellOf<R>) -> BlockFunction { return unary<T, R, Convert<T, R>>; });
}

BlockFunction convert_function(DType from, DType to) {
  if (from == to) return copy_function(cell_size(from));
  const auto is_byte = [](DType dtype) { return dtype == DType::u8 || dtype == DType::i8; };
  if ((from == DType::f32 && is_byte(to)) || (is_byte(from) && to == DType::f32)) return simd_bytes(from, to);
  return with_cell(from, [&]<class T>(CellOf<T>) { return convert_from<T>(to); });
}

BlockFunction bitcast_function(DType from, DType to) {
  const bool from_half = from == DType::f16 || from == DType::bf16,
             to_half = to == DType::f16 || to == DType::bf16;
  if (from == to) return copy_function(cell_size(from));
  if (from_half && to_half) return nullptr;  // rare enough for two steps
  if (from_half) return simd_store(from);
  if (to_half) return simd_load(to);
  return copy_function(cell_size(from));
}

}  // namespace

BlockFunction block_function(TapeOp op, DType type, DType result, int uniform) {
  if (op == TapeOp::convert) return convert_function(type, result);
  if (op == TapeOp::bitcast) return bitcast_function(type, result);
  const DType of = cell(type);
  if (of == DType::f32) return f32_function(op, uniform);
  if (op == TapeOp::select) {
    const int64_t bytes = cell_size(of);
    return bytes == 1   ? select<uint8_t>
           : bytes == 2 ? select<uint16_t>
           : bytes == 4 ? simd_f32(op)
                        : select<uint64_t>;
  }
  if (of == DType::f64) return f64_function(op);
  if (of == DType::boolean) return boolean_function(op);
  return with_cell(of, [&]<class T>(CellOf<T>) -> BlockFunction {
    if constexpr (std::is_integral_v<T>)
      return integer_function<T>(op);
    else
      return nullptr;
  });
}

BlockFunction load_function(DType dtype) {
  return cell(dtype) == dtype ? copy_function(cell_size(dtype)) : simd_load(dtype);
}

BlockFunction store_function(DType dtype) {
  return cell(dtype) == dtype ? copy_function(cell_size(dtype)) : simd_store(dtype);
}

}  // namespace temper::cpu
