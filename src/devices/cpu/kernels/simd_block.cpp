// The f32 instructions of a tape, for each instruction set.
#include <cmath>
#include <cstring>
#include <limits>

#include "devices/cpu/kernels/block.h"
#include "devices/cpu/kernels/targets.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_block.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "hwy/contrib/math/math-inl.h"
#include "devices/cpu/kernels/simd_bf16.h"
#include "devices/cpu/kernels/simd_math.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
using Bytes = hn::Rebind<uint8_t, D>;
using Signed = hn::RebindToSigned<D>;
constexpr size_t kMaxLanes = 16;

// Whole vectors in place; the rest through a padded copy.
template <class F>
void unary(const void* a, const void*, const void*, void* out, int64_t n) {
  const D d;
  const auto* x = static_cast<const float*>(a);
  auto* y = static_cast<float*>(out);
  const auto count = static_cast<size_t>(n), lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(F()(d, hn::LoadU(d, x + i)), d, y + i);
  if (i == count) return;
  HWY_ALIGN float rest[kMaxLanes] = {};
  std::memcpy(rest, x + i, (count - i) * sizeof(float));
  hn::Store(F()(d, hn::Load(d, rest)), d, rest);
  std::memcpy(y + i, rest, (count - i) * sizeof(float));
}

// An operand of an instruction; one that is a single number all over the block stays in a register.
template <bool kUniform>
class Operand {
 public:
  explicit Operand(const void* x)
      : x_(static_cast<const float*>(x)), all_(kUniform ? hn::Set(D(), *x_) : hn::Zero(D())) {}
  V at(size_t i) const {
    if constexpr (kUniform) return all_;
    return hn::LoadU(D(), x_ + i);
  }
  V rest(size_t i, size_t count) const {  // the first `count` lanes
    if constexpr (kUniform) return all_;
    HWY_ALIGN float padded[kMaxLanes] = {};
    std::memcpy(padded, x_ + i, count * sizeof(float));
    return hn::Load(D(), padded);
  }

 private:
  const float* x_;
  V all_;
};

void put_rest(V value, float* to, size_t count) {
  HWY_ALIGN float rest[kMaxLanes];
  hn::Store(value, D(), rest);
  std::memcpy(to, rest, count * sizeof(float));
}

// kUniform: bit k for operand k.
template <class F, int kUniform>
void binary(const void* a, const void* b, const void*, void* out, int64_t n) {
  const D d;
  const Operand<(kUniform & 1) != 0> x(a);
  const Operand<(kUniform & 2) != 0> y(b);
  auto* z = static_cast<float*>(out);
  const auto count = static_cast<size_t>(n), lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(F()(d, x.at(i), y.at(i)), d, z + i);
  if (i < count) put_rest(F()(d, x.rest(i, count - i), y.rest(i, count - i)), z + i, count - i);
}

template <class F, int kUniform>
void ternary(const void* a, const void* b, const void* c, void* out, int64_t n) {
  const D d;
  const Operand<(kUniform & 1) != 0> x(a);
  const Operand<(kUniform & 2) != 0> y(b);
  const Operand<(kUniform & 4) != 0> z(c);
  auto* w = static_cast<float*>(out);
  const auto count = static_cast<size_t>(n), lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(F()(d, x.at(i), y.at(i), z.at(i)), d, w + i);
  if (i < count)
    put_rest(F()(d, x.rest(i, count - i), y.rest(i, count - i), z.rest(i, count - i)), w + i, count - i);
}

template <class F>
BlockFunction binary_of(int uniform) {
  static constexpr BlockFunction kAll[] = {binary<F, 0>, binary<F, 1>, binary<F, 2>, binary<F, 3>};
  return kAll[uniform & 3];
}

template <class F>
BlockFunction ternary_of(int uniform) {
  static constexpr BlockFunction kAll[] = {ternary<F, 0>, ternary<F, 1>, ternary<F, 2>, ternary<F, 3>,
                                           ternary<F, 4>, ternary<F, 5>, ternary<F, 6>, ternary<F, 7>};
  return kAll[uniform & 7];
}

// Booleans are bytes.
template <class F>
void comparison(const void* a, const void* b, const void*, void* out, int64_t n) {
  const D d;
  const Bytes bytes;
  const Signed ds;
  const auto *x = static_cast<const float*>(a), *y = static_cast<const float*>(b);
  auto* z = static_cast<uint8_t*>(out);
  const auto count = static_cast<size_t>(n), lanes = hn::Lanes(d);
  const auto one = hn::Set(ds, 1);
  const auto compare = [&](V u, V v) HWY_ATTR {
    return hn::DemoteTo(bytes, hn::IfThenElseZero(hn::RebindMask(ds, F()(u, v)), one));
  };
  size_t i = 0;
  for (; i + lanes <= count; i += lanes)
    hn::StoreU(compare(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), bytes, z + i);
  for (; i < count; ++i) z[i] = hn::GetLane(compare(hn::Set(d, x[i]), hn::Set(d, y[i])));
}

void select(const void* a, const void* b, const void* c, void* out, int64_t n) {
  const D d;
  const Bytes bytes;
  const Signed ds;
  const auto* p = static_cast<const uint8_t*>(a);
  const auto *x = static_cast<const float*>(b), *y = static_cast<const float*>(c);
  auto* z = static_cast<float*>(out);
  const auto count = static_cast<size_t>(n), lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto chosen = hn::Ne(hn::PromoteTo(ds, hn::LoadU(bytes, p + i)), hn::Zero(ds));
    hn::StoreU(hn::IfThenElse(hn::RebindMask(d, chosen), hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, z + i);
  }
  for (; i < count; ++i) z[i] = p[i] ? x[i] : y[i];
}

// clang-format off
#define TEMPER_UNARY(name, expression) struct name { V operator()(D d, V x) const { (void)d; return expression; } };
#define TEMPER_BINARY(name, expression) struct name { V operator()(D d, V x, V y) const { (void)d; return expression; } };
#define TEMPER_COMPARE(name, expression) struct name { hn::Mask<D> operator()(V x, V y) const { return expression; } };
TEMPER_UNARY(Abs, hn::Abs(x))
TEMPER_UNARY(Neg, hn::Neg(x))
TEMPER_UNARY(Sign, hn::IfThenElse(hn::Or(hn::IsNaN(x), hn::Eq(x, hn::Zero(d))), x, hn::CopySign(hn::Set(d, 1.0f), x)))
TEMPER_UNARY(Exp, exp(d, x))
TEMPER_UNARY(Expm1, expm1(d, x))
TEMPER_UNARY(Log, log(d, x))
TEMPER_UNARY(Log1p, log1p(d, x))
TEMPER_UNARY(Sqrt, hn::Sqrt(x))
TEMPER_UNARY(Rsqrt, hn::Div(hn::Set(d, 1.0f), hn::Sqrt(x)))
TEMPER_UNARY(Tanh, tanh(d, x))
TEMPER_UNARY(Sigmoid, sigmoid(d, x))
TEMPER_UNARY(Erf, erf(d, x))
TEMPER_UNARY(Gelu, gelu(d, x))
TEMPER_UNARY(GeluSlope, gelu_slope(d, x))
TEMPER_UNARY(Floor, hn::Floor(x))
TEMPER_UNARY(Ceil, hn::Ceil(x))
TEMPER_UNARY(Round, hn::Round(x))
TEMPER_BINARY(Add, hn::Add(x, y))
TEMPER_BINARY(Sub, hn::Sub(x, y))
TEMPER_BINARY(Mul, hn::Mul(x, y))
TEMPER_BINARY(Div, hn::Div(x, y))
TEMPER_BINARY(Max, hn::IfThenElse(hn::IsNaN(x), x, hn::IfThenElse(hn::Gt(x, y), x, y)))
TEMPER_BINARY(Min, hn::IfThenElse(hn::IsNaN(x), x, hn::IfThenElse(hn::Lt(x, y), x, y)))
TEMPER_COMPARE(Equal, hn::Eq(x, y))
TEMPER_COMPARE(NotEqual, hn::Not(hn::Eq(x, y)))
TEMPER_COMPARE(Less, hn::Lt(x, y))
TEMPER_COMPARE(LessEqual, hn::Le(x, y))
TEMPER_COMPARE(Greater, hn::Gt(x, y))
TEMPER_COMPARE(GreaterEqual, hn::Ge(x, y))
struct MulAdd { V operator()(D, V x, V y, V z) const { return hn::MulAdd(x, y, z); } };
struct NegMulAdd { V operator()(D, V x, V y, V z) const { return hn::NegMulAdd(x, y, z); } };
// clang-format on

// The library's reduction holds for |x| <= 39000; beyond, libm.
template <bool kSine>
struct Circular {
  V operator()(D d, V x) const {
    if (hn::AllTrue(d, hn::Le(hn::Abs(x), hn::Set(d, 39000.0f))))
      return kSine ? hn::Sin(d, x) : hn::Cos(d, x);
    HWY_ALIGN float lanes[kMaxLanes];
    hn::Store(x, d, lanes);
    for (size_t i = 0; i < hn::Lanes(d); ++i) lanes[i] = kSine ? std::sin(lanes[i]) : std::cos(lanes[i]);
    return hn::Load(d, lanes);
  }
};

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
constexpr bool kFastHalf = true;
#else
constexpr bool kFastHalf = false;
#endif

void load_f16(const void* a, const void*, const void*, void* out, int64_t n) {
  const auto* x = static_cast<const uint16_t*>(a);
  auto* y = static_cast<float*>(out);
  int64_t i = 0;
  if constexpr (kFastHalf) {
    const D d;
    const hn::Rebind<hwy::float16_t, D> half;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    for (; i + lanes <= n; i += lanes)
      hn::StoreU(hn::PromoteTo(d, hn::LoadU(half, reinterpret_cast<const hwy::float16_t*>(x + i))), d, y + i);
  }
  for (; i < n; ++i) y[i] = f16_to_f32(x[i]);
}

void store_f16(const void* a, const void*, const void*, void* out, int64_t n) {
  const auto* x = static_cast<const float*>(a);
  auto* y = static_cast<uint16_t*>(out);
  int64_t i = 0;
  if constexpr (kFastHalf) {
    const D d;
    const hn::Rebind<hwy::float16_t, D> half;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    for (; i + lanes <= n; i += lanes)
      hn::StoreU(hn::DemoteTo(half, hn::LoadU(d, x + i)), half, reinterpret_cast<hwy::float16_t*>(y + i));
  }
  for (; i < n; ++i) y[i] = f32_to_f16(x[i]);
}

void load_bf16(const void* a, const void*, const void*, void* out, int64_t n) {
  const D d;
  const auto* x = static_cast<const Bf16*>(a);
  auto* y = static_cast<float*>(out);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(load(d, x + i), d, y + i);
  for (; i < n; ++i) y[i] = number(x + i);
}

void store_bf16(const void* a, const void*, const void*, void* out, int64_t n) {
  const D d;
  const auto* x = static_cast<const float*>(a);
  auto* y = static_cast<Bf16*>(out);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  const hn::Rebind<uint16_t, decltype(d)> half;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(rounded(d, hn::LoadU(d, x + i)), half, reinterpret_cast<uint16_t*>(y + i));
  for (; i < n; ++i) put(x[i], y + i);
}

// Bytes as numbers.
template <class T>
void from_bytes(const void* a, const void*, const void*, void* out, int64_t n) {
  const D d;
  const hn::Rebind<T, D> bytes;
  const Signed integers;
  const auto* x = static_cast<const T*>(a);
  auto* y = static_cast<float*>(out);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(hn::ConvertTo(d, hn::PromoteTo(integers, hn::LoadU(bytes, x + i))), d, y + i);
  for (; i < n; ++i) y[i] = static_cast<float>(x[i]);
}

// Numbers as bytes: truncated, saturated, NaN as 0.
template <class T>
void to_bytes(const void* a, const void*, const void*, void* out, int64_t n) {
  const D d;
  const hn::Rebind<T, D> bytes;
  const Signed integers;
  const auto* x = static_cast<const float*>(a);
  auto* y = static_cast<T*>(out);
  const auto low = hn::Set(d, static_cast<float>(std::numeric_limits<T>::min())),
             high = hn::Set(d, static_cast<float>(std::numeric_limits<T>::max()));
  const auto converted = [&](V v) HWY_ATTR {
    const auto inside = hn::Max(low, hn::Min(high, hn::IfThenZeroElse(hn::IsNaN(v), v)));
    return hn::DemoteTo(bytes, hn::ConvertTo(integers, inside));
  };
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(converted(hn::LoadU(d, x + i)), bytes, y + i);
  for (; i < n; ++i) y[i] = hn::GetLane(converted(hn::Set(d, x[i])));
}

double sum(const float* x, int64_t n) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V s[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes)
    for (int k = 0; k < 4; ++k) s[k] = hn::Add(s[k], hn::LoadU(d, x + i + k * lanes));
  HWY_ALIGN float parts[4 * kMaxLanes];
  for (int k = 0; k < 4; ++k) hn::Store(s[k], d, parts + k * lanes);
  double total = 0;
  for (int64_t k = 0; k < 4 * lanes; ++k) total += static_cast<double>(parts[k]);
  for (; i < n; ++i) total += static_cast<double>(x[i]);
  return total;
}

template <class F>
float extreme(const float* x, int64_t n) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V best = hn::Set(d, x[0]);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) best = F()(d, best, hn::LoadU(d, x + i));
  for (; i < n; ++i) best = F()(d, best, hn::Set(d, x[i]));
  HWY_ALIGN float parts[kMaxLanes];
  hn::Store(best, d, parts);
  for (int64_t k = 1; k < lanes; ++k) best = F()(d, best, hn::Set(d, parts[k]));
  return hn::GetLane(best);
}

// The sums over the rows of kVectors vectors of columns, in f32, then added in f64.
template <int kVectors>
void add_strip(const float* x, int64_t rows, int64_t columns, double* into) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V s[kVectors];
  for (int k = 0; k < kVectors; ++k) s[k] = hn::LoadU(d, x + k * lanes);
  for (int64_t i = 1; i < rows; ++i)
    for (int k = 0; k < kVectors; ++k) s[k] = hn::Add(s[k], hn::LoadU(d, x + i * columns + k * lanes));
  HWY_ALIGN float strip[kVectors * kMaxLanes];
  for (int k = 0; k < kVectors; ++k) hn::Store(s[k], d, strip + k * lanes);
  for (int64_t k = 0; k < kVectors * lanes; ++k) into[k] += static_cast<double>(strip[k]);
}

void add_columns(const float* x, int64_t rows, int64_t columns, double* into) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(D()));
  int64_t j = 0;
  for (; j + 4 * lanes <= columns; j += 4 * lanes) add_strip<4>(x + j, rows, columns, into + j);
  for (; j + lanes <= columns; j += lanes) add_strip<1>(x + j, rows, columns, into + j);
  if (j == columns) return;
  float rest[kMaxLanes] = {};
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t k = 0; k < columns - j; ++k) rest[k] += x[i * columns + j + k];
  for (int64_t k = 0; k < columns - j; ++k) into[j + k] += static_cast<double>(rest[k]);
}

BlockFunction find_unary(TapeOp op) {
  switch (op) {
    case TapeOp::abs:
      return unary<Abs>;
    case TapeOp::neg:
      return unary<Neg>;
    case TapeOp::sign:
      return unary<Sign>;
    case TapeOp::exp:
      return unary<Exp>;
    case TapeOp::expm1:
      return unary<Expm1>;
    case TapeOp::log:
      return unary<Log>;
    case TapeOp::log1p:
      return unary<Log1p>;
    case TapeOp::sqrt:
      return unary<Sqrt>;
    case TapeOp::rsqrt:
      return unary<Rsqrt>;
    case TapeOp::sin:
      return unary<Circular<true>>;
    case TapeOp::cos:
      return unary<Circular<false>>;
    case TapeOp::tanh:
      return unary<Tanh>;
    case TapeOp::sigmoid:
      return unary<Sigmoid>;
    case TapeOp::erf:
      return unary<Erf>;
    case TapeOp::gelu:
      return unary<Gelu>;
    case TapeOp::gelu_slope:
      return unary<GeluSlope>;
    case TapeOp::floor:
      return unary<Floor>;
    case TapeOp::ceil:
      return unary<Ceil>;
    case TapeOp::round:
      return unary<Round>;
    default:
      return nullptr;
  }
}

BlockFunction find(TapeOp op, int uniform) {
  switch (op) {
    case TapeOp::add:
      return binary_of<Add>(uniform);
    case TapeOp::sub:
      return binary_of<Sub>(uniform);
    case TapeOp::mul:
      return binary_of<Mul>(uniform);
    case TapeOp::div:
      return binary_of<Div>(uniform);
    case TapeOp::max:
      return binary_of<Max>(uniform);
    case TapeOp::min:
      return binary_of<Min>(uniform);
    case TapeOp::eq:
      return comparison<Equal>;
    case TapeOp::ne:
      return comparison<NotEqual>;
    case TapeOp::lt:
      return comparison<Less>;
    case TapeOp::le:
      return comparison<LessEqual>;
    case TapeOp::gt:
      return comparison<Greater>;
    case TapeOp::ge:
      return comparison<GreaterEqual>;
    case TapeOp::select:
      return select;
    case TapeOp::mul_add:
      return ternary_of<MulAdd>(uniform);
    case TapeOp::neg_mul_add:
      return ternary_of<NegMulAdd>(uniform);
    default:
      return find_unary(op);
  }
}

BlockFunction find_bytes(DType from, DType to) {
  if (to == DType::f32) return from == DType::u8 ? from_bytes<uint8_t> : from_bytes<int8_t>;
  return to == DType::u8 ? to_bytes<uint8_t> : to_bytes<int8_t>;
}
BlockFunction find_load(bool brain) { return brain ? load_bf16 : load_f16; }
BlockFunction find_store(bool brain) { return brain ? store_bf16 : store_f16; }
const SimdFolds* folds() {
  static constexpr SimdFolds all{sum, extreme<Max>, extreme<Min>, add_columns};
  return &all;
}

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(find);
HWY_EXPORT(find_bytes);
HWY_EXPORT(find_load);
HWY_EXPORT(find_store);
HWY_EXPORT(folds);
BlockFunction simd_f32(TapeOp op, int uniform) { return HWY_DYNAMIC_DISPATCH(find)(op, uniform); }
BlockFunction simd_bytes(DType from, DType to) { return HWY_DYNAMIC_DISPATCH(find_bytes)(from, to); }
BlockFunction simd_load(DType dtype) { return HWY_DYNAMIC_DISPATCH(find_load)(dtype == DType::bf16); }
BlockFunction simd_store(DType dtype) { return HWY_DYNAMIC_DISPATCH(find_store)(dtype == DType::bf16); }
const SimdFolds& simd_folds() { return *HWY_DYNAMIC_DISPATCH(folds)(); }
}  // namespace temper::cpu
#endif
