// Reductions of blocks into 64-bit accumulators.
#include <cmath>
#include <limits>

#include "devices/cpu/kernels/block.h"
#include "devices/cpu/kernels/cells.h"

namespace temper::cpu {

namespace {

// How a kind works on accumulators of one class: double, int64_t or uint64_t.
struct Sum {
  template <class A>
  static A neutral() {
    return 0;
  }
  template <class A>
  static A apply(A x, A y) {
    if constexpr (std::is_integral_v<A>)  // wraps
      return static_cast<A>(static_cast<uint64_t>(x) + static_cast<uint64_t>(y));
    else
      return x + y;
  }
};
struct Prod {
  template <class A>
  static A neutral() {
    return 1;
  }
  template <class A>
  static A apply(A x, A y) {
    if constexpr (std::is_integral_v<A>)
      return static_cast<A>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));
    else
      return x * y;
  }
};
struct Max {
  template <class A>
  static A apply(A x, A y) {
    return x != x ? x : x > y ? x : y;
  }
};
struct Min {
  template <class A>
  static A apply(A x, A y) {
    return x != x ? x : x < y ? x : y;
  }
};
struct And {
  template <class A>
  static A neutral() {
    return static_cast<A>(-1);
  }
  static int64_t apply(int64_t x, int64_t y) { return x & y; }
  static uint64_t apply(uint64_t x, uint64_t y) { return x & y; }
  static double apply(double x, double y) { return x != 0 && y != 0; }
};
struct Or {
  template <class A>
  static A neutral() {
    return 0;
  }
  static int64_t apply(int64_t x, int64_t y) { return x | y; }
  static uint64_t apply(uint64_t x, uint64_t y) { return x | y; }
  static double apply(double x, double y) { return x != 0 || y != 0; }
};

template <class T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, double,
                                std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;

template <class A>
A& field(Accumulator& a) {
  if constexpr (std::is_same_v<A, double>)
    return a.real;
  else if constexpr (std::is_same_v<A, int64_t>)
    return a.integer;
  else
    return a.bits;
}
template <class A>
A field(const Accumulator& a) {
  return field<A>(const_cast<Accumulator&>(a));
}

template <class T>
Wide<T> widen(T x) {
  return static_cast<Wide<T>>(x);
}
template <>
Wide<Boolean> widen(Boolean x) {
  return x.value;
}

template <class T, class F>
void fold(const void* data, int64_t rows, int64_t columns, bool by_column, Accumulator* into) {
  using A = Wide<T>;
  const auto* x = static_cast<const T*>(data);
  for (int64_t i = 0; i < rows; ++i, x += columns) {
    if (by_column) {
      for (int64_t j = 0; j < columns; ++j) field<A>(into[j]) = F::apply(field<A>(into[j]), widen(x[j]));
    } else {
      A a = field<A>(into[i]);
      for (int64_t j = 0; j < columns; ++j) a = F::apply(a, widen(x[j]));
      field<A>(into[i]) = a;
    }
  }
}

void fold_f32_sum(const void* data, int64_t rows, int64_t columns, bool by_column, Accumulator* into) {
  const auto* x = static_cast<const float*>(data);
  static_assert(sizeof(Accumulator) == sizeof(double));
  if (by_column) return simd_folds().add_columns(x, rows, columns, &into->real);
  for (int64_t i = 0; i < rows; ++i) into[i].real += simd_folds().sum(x + i * columns, columns);
}

template <class F>
void fold_f32_extreme(const void* data, int64_t rows, int64_t columns, bool by_column, Accumulator* into) {
  if (by_column || columns == 0) return fold<float, F>(data, rows, columns, by_column, into);
  const auto* x = static_cast<const float*>(data);
  const auto row = std::is_same_v<F, Max> ? simd_folds().max : simd_folds().min;
  for (int64_t i = 0; i < rows; ++i)
    into[i].real = F::apply(into[i].real, static_cast<double>(row(x + i * columns, columns)));
}

template <class A, class F>
void combine(Accumulator* into, const Accumulator* from, int64_t n) {
  for (int64_t i = 0; i < n; ++i) field<A>(into[i]) = F::apply(field<A>(into[i]), field<A>(from[i]));
}

template <class T>
void finish(const Accumulator* from, void* out) {
  if constexpr (std::is_same_v<T, Boolean>)
    static_cast<Boolean*>(out)->value = from->bits & 1;
  else
    *static_cast<T*>(out) = static_cast<T>(field<Wide<T>>(*from));
}
void finish_f16(const Accumulator* from, void* out) {
  *static_cast<uint16_t*>(out) = f32_to_f16(static_cast<float>(from->real));
}
void finish_bf16(const Accumulator* from, void* out) {
  *static_cast<uint16_t*>(out) = f32_to_bf16(static_cast<float>(from->real));
}

template <class T>
T lowest() {
  if constexpr (std::is_floating_point_v<T>)
    return -std::numeric_limits<T>::infinity();
  else
    return std::numeric_limits<T>::min();
}
template <class T>
T highest() {
  if constexpr (std::is_floating_point_v<T>)
    return std::numeric_limits<T>::infinity();
  else
    return std::numeric_limits<T>::max();
}
template <>
Boolean lowest() {
  return {0};
}
template <>
Boolean highest() {
  return {1};
}

template <class T, class F>
Fold make(Wide<T> neutral) {
  Fold f{{}, fold<T, F>, combine<Wide<T>, F>, finish<T>};
  field<Wide<T>>(f.neutral) = neutral;
  return f;
}

template <class T>
Fold make(ReduceKind kind) {
  using A = Wide<T>;
  constexpr bool boolean = std::is_same_v<T, Boolean>;
  switch (kind) {
    case ReduceKind::sum:
      return boolean ? make<T, Or>(A{0}) : make<T, Sum>(A{0});
    case ReduceKind::prod:
      return boolean ? make<T, And>(A{1}) : make<T, Prod>(A{1});
    case ReduceKind::max:
      return make<T, Max>(widen(lowest<T>()));
    case ReduceKind::min:
      return make<T, Min>(widen(highest<T>()));
    case ReduceKind::logical_and:
      return make<T, And>(boolean ? A{1} : And::neutral<A>());
    default:
      return make<T, Or>(A{0});
  }
}

}  // namespace

Fold fold_function(ReduceKind kind, DType dtype) {
  Fold f = with_cell(dtype, [&]<class T>(CellOf<T>) { return make<T>(kind); });
  if (cell(dtype) == DType::f32) {
    if (kind == ReduceKind::sum) f.fold = fold_f32_sum;
    if (kind == ReduceKind::max) f.fold = fold_f32_extreme<Max>;
    if (kind == ReduceKind::min) f.fold = fold_f32_extreme<Min>;
  }
  if (dtype == DType::f16) f.finish = finish_f16;
  if (dtype == DType::bf16) f.finish = finish_bf16;
  return f;
}

}  // namespace temper::cpu
