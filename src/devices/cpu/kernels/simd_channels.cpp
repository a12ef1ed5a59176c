// Sums and maps per channel, for each instruction set.
#include "devices/cpu/kernels/channels.h"
#include "devices/cpu/kernels/targets.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_channels.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "devices/cpu/kernels/simd_bf16.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 16>;
using One = hn::CappedTag<float, 1>;
template <class Tag>
using Vec = hn::Vec<Tag>;

constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(D()));

// Parameters are vectors by channel or one number each.
struct ByChannel {
  const float* p;
  template <class Tag>
  HWY_INLINE Vec<Tag> operator()(Tag d, int64_t i) const {
    return hn::LoadU(d, p + i);
  }
};
struct Same {
  float p;
  explicit Same(const float* p) : p(p ? *p : 0) {}
  template <class Tag>
  HWY_INLINE Vec<Tag> operator()(Tag d, int64_t) const {
    return hn::Set(d, p);
  }
};

// Whole vectors of [0, n), then one by one.
template <class Body>
HWY_INLINE void each_vector(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(D(), i);
  for (; i < n; ++i) body(One(), i);
}

enum class Passes { all, by_x, by_y };

// What of dy passes the gate, at element `at` of channel `i`.
template <Passes kPasses, bool kKeeps, class T, class P>
struct Passed {
  const T* dy;
  const T* y;
  T* kept;
  P centre, factor, shift;
  Bounds bounds;

  template <class Tag>
  HWY_INLINE Vec<Tag> operator()(Tag d, int64_t at, int64_t i, Vec<Tag> difference) const {
    const Vec<Tag> value = load(d, dy + at);
    if constexpr (kPasses == Passes::all) return value;
    Vec<Tag> place;
    if constexpr (kPasses == Passes::by_y) {
      place = load(d, y + at);
    } else {
      place = hn::MulAdd(difference, factor(d, i), shift(d, i));
    }
    const auto inside =
        hn::And(hn::Gt(place, hn::Set(d, bounds.low)), hn::Lt(place, hn::Set(d, bounds.high)));
    const Vec<Tag> passed = hn::IfThenElseZero(inside, value);
    if constexpr (kKeeps) store(d, passed, kept + at);
    return passed;
  }
};

// The two numbers that are summed: {x - centre, x - centre} or {dy, x - centre}; the second sum is of their
// product.
template <class T, class P>
struct Deviation {
  const T* x;
  P centre;
  template <class Tag>
  HWY_INLINE void operator()(Tag d, int64_t at, int64_t i, Vec<Tag>& a, Vec<Tag>& b) const {
    a = b = hn::Sub(load(d, x + at), centre(d, i));
  }
};
template <class Cotangent, class T>
struct Product {
  const T* x;
  Cotangent dy;
  template <class Tag>
  HWY_INLINE void operator()(Tag d, int64_t at, int64_t i, Vec<Tag>& a, Vec<Tag>& b) const {
    b = hn::Sub(load(d, x + at), dy.centre(d, i));
    a = dy(d, at, i, b);
  }
};

// Adds `kRows` rows at column `i` to the sums of a block.
template <int kRows, class Term>
struct AddRows {
  const Term& term;
  int64_t at, step, first_column;
  float *a, *b;
  template <class Tag>
  HWY_INLINE void operator()(Tag d, int64_t i) const {
    Vec<Tag> sum = hn::LoadU(d, a + i), product = hn::LoadU(d, b + i);
    for (int r = 0; r < kRows; ++r) {
      Vec<Tag> x, z;
      term(d, at + r * step + i, first_column + i, x, z);
      sum = hn::Add(sum, x);
      product = hn::MulAdd(x, z, product);
    }
    hn::StoreU(sum, d, a + i);
    hn::StoreU(product, d, b + i);
  }
};

constexpr int64_t kBlock = 64;  // numbers that are added in f32

template <class Term>
void sum_rows_of(const Term& term, int64_t rows, int64_t columns, int64_t step, double* first,
                 double* second) {
  constexpr int64_t kPiece = 1024;
  constexpr int kTogether = 4;
  HWY_ALIGN float a[kPiece], b[kPiece];
  for (int64_t begin = 0; begin < columns; begin += kPiece) {
    const int64_t n = HWY_MIN(kPiece, columns - begin);
    for (int64_t block = 0; block < rows; block += kBlock) {
      const int64_t end = HWY_MIN(rows, block + kBlock);
      for (int64_t i = 0; i < n; ++i) a[i] = b[i] = 0;
      int64_t row = block;
      for (; row + kTogether <= end; row += kTogether)
        each_vector(n, AddRows<kTogether, Term>{term, row * step + begin, step, begin, a, b});
      for (; row < end; ++row) each_vector(n, AddRows<1, Term>{term, row * step + begin, step, begin, a, b});
      for (int64_t i = 0; i < n; ++i) {
        first[begin + i] += static_cast<double>(a[i]);
        second[begin + i] += static_cast<double>(b[i]);
      }
    }
  }
}

// Each lane is a column of a block.
template <class Term>
void sum_plane_of(const Term& term, int64_t n, double* first, double* second) {
  HWY_ALIGN float a[kLanes], b[kLanes];
  for (int64_t block = 0; block < n; block += kBlock * kLanes) {
    const int64_t end = HWY_MIN(n, block + kBlock * kLanes);
    for (int64_t i = 0; i < kLanes; ++i) a[i] = b[i] = 0;
    for (int64_t at = block; at < end; at += kLanes) {
      const int64_t some = HWY_MIN(kLanes, end - at);
      each_vector(some, AddRows<1, Term>{term, at, 0, 0, a, b});
    }
    for (int64_t i = 0; i < kLanes; ++i) {
      *first += static_cast<double>(a[i]);
      *second += static_cast<double>(b[i]);
    }
  }
}

// Calls body with the Passed that the gate asks for.
template <class P, bool kMayKeep, class T, class Body>
HWY_INLINE void with_gate(const T* dy, const Gate<T>& gate, const float* centre, const Body& body) {
  if (gate.open)
    return body(Passed<Passes::all, false, T, P>{dy, nullptr, nullptr, P(centre), P(centre), P(centre), {}});
  const P factor(gate.factor), shift(gate.shift);
  if constexpr (kMayKeep) {
    if (gate.kept && gate.y)
      return body(
          Passed<Passes::by_y, true, T, P>{dy, gate.y, gate.kept, P(centre), factor, shift, gate.bounds});
    if (gate.kept)
      return body(
          Passed<Passes::by_x, true, T, P>{dy, nullptr, gate.kept, P(centre), factor, shift, gate.bounds});
  }
  if (gate.y)
    return body(
        Passed<Passes::by_y, false, T, P>{dy, gate.y, nullptr, P(centre), factor, shift, gate.bounds});
  body(Passed<Passes::by_x, false, T, P>{dy, nullptr, nullptr, P(centre), factor, shift, gate.bounds});
}

template <class T>
struct SumRows {
  const T* x;
  int64_t rows, columns, step;
  double *first, *second;
  template <class Cotangent>
  HWY_INLINE void operator()(const Cotangent& dy) const {
    sum_rows_of(Product<Cotangent, T>{x, dy}, rows, columns, step, first, second);
  }
};
template <class T>
struct SumPlane {
  const T* x;
  int64_t n;
  double *first, *second;
  template <class Cotangent>
  HWY_INLINE void operator()(const Cotangent& dy) const {
    sum_plane_of(Product<Cotangent, T>{x, dy}, n, first, second);
  }
};

template <bool kAdds, class T, class P>
struct Apply {
  const T *x, *addend;
  P centre, factor, shift;
  Bounds bounds;
  T* y;
  template <class Tag>
  HWY_INLINE void operator()(Tag d, int64_t i) const {
    const Vec<Tag> low = hn::Set(d, bounds.low), high = hn::Set(d, bounds.high);
    Vec<Tag> v = hn::MulAdd(hn::Sub(load(d, x + i), centre(d, i)), factor(d, i), shift(d, i));
    if constexpr (kAdds) v = hn::Add(v, load(d, addend + i));
    v = hn::IfThenElse(hn::Lt(v, low), low, v);  // comparisons, as Max and Min may drop a NaN
    store(d, hn::IfThenElse(hn::Gt(v, high), high, v), y + i);
  }
};

template <class Cotangent, class T, class P>
struct Gradient {
  const T* x;
  Cotangent dy;
  P factor, slope, shift;
  T* dx;
  template <class Tag>
  HWY_INLINE void operator()(Tag d, int64_t i) const {
    const Vec<Tag> z = hn::Sub(load(d, x + i), dy.centre(d, i));
    const Vec<Tag> scaled = hn::MulSub(dy(d, i, i, z), factor(d, i), shift(d, i));
    store(d, hn::NegMulAdd(z, slope(d, i), scaled), dx + i);
  }
};
template <class T, class P>
struct RunGradient {
  const T* x;
  const ChannelConstants& c;
  int64_t n;
  T* dx;
  template <class Cotangent>
  HWY_INLINE void operator()(const Cotangent& dy) const {
    each_vector(n, Gradient<Cotangent, T, P>{x, dy, P(c.factor), P(c.slope), P(c.shift), dx});
  }
};

template <class T>
void sum_rows(const T* x, const float* centre, int64_t rows, int64_t columns, int64_t step, double* first,
              double* second) {
  sum_rows_of(Deviation<T, ByChannel>{x, {centre}}, rows, columns, step, first, second);
}
template <class T>
void sum_plane(const T* x, const float* centre, int64_t n, double* first, double* second) {
  sum_plane_of(Deviation<T, Same>{x, Same(centre)}, n, first, second);
}
template <class T>
void sum_gradient_rows(const T* x, const T* dy, const Gate<T>& gate, const float* centre, int64_t rows,
                       int64_t columns, int64_t step, double* first, double* second) {
  with_gate<ByChannel, true>(dy, gate, centre, SumRows<T>{x, rows, columns, step, first, second});
}
template <class T>
void sum_gradient_plane(const T* x, const T* dy, const Gate<T>& gate, const float* centre, int64_t n,
                        double* first, double* second) {
  with_gate<Same, true>(dy, gate, centre, SumPlane<T>{x, n, first, second});
}
template <class P, class T>
void any_apply(const T* x, const T* addend, const ChannelConstants& c, Bounds bounds, int64_t n, T* y) {
  const P centre(c.centre), factor(c.factor), shift(c.shift);
  if (addend) return each_vector(n, Apply<true, T, P>{x, addend, centre, factor, shift, bounds, y});
  each_vector(n, Apply<false, T, P>{x, nullptr, centre, factor, shift, bounds, y});
}
template <class P, class T>
void any_gradient(const T* x, const T* dy, const Gate<T>& gate, const ChannelConstants& c, int64_t n, T* dx) {
  with_gate<P, false>(dy, gate, c.centre, RunGradient<T, P>{x, c, n, dx});
}

template <class T>
const ChannelFunctions<T>* all_functions() {
  static constexpr ChannelFunctions<T> all{sum_rows<T>,
                                           sum_plane<T>,
                                           sum_gradient_rows<T>,
                                           sum_gradient_plane<T>,
                                           any_apply<ByChannel, T>,
                                           any_apply<Same, T>,
                                           any_gradient<ByChannel, T>,
                                           any_gradient<Same, T>};
  return &all;
}
const ChannelFunctions<float>* functions() { return all_functions<float>(); }
const ChannelFunctions<Bf16>* bf16_functions() { return all_functions<Bf16>(); }

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(functions);
HWY_EXPORT(bf16_functions);
template <>
const ChannelFunctions<float>& channel_functions() {
  return *HWY_DYNAMIC_DISPATCH(functions)();
}
template <>
const ChannelFunctions<Bf16>& channel_functions() {
  return *HWY_DYNAMIC_DISPATCH(bf16_functions)();
}
}  // namespace temper::cpu
#endif
