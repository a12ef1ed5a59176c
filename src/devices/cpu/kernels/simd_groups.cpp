// The functions of groups.h.
#include <xmmintrin.h>

#include <cstring>

#include "devices/cpu/kernels/groups.h"
#include "devices/cpu/kernels/targets.h"

// clang-format off: foreach_target.h includes this file once per instruction set and must come first
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "devices/cpu/kernels/simd_groups.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace temper::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr size_t kMaxLanes = 16;

using Operands = const float* const*;

V number(Operands x, int k) { return hn::Set(D(), *x[k]); }

// Operand k of whole vectors, and of what is left after them.
struct Whole {
  Operands x;
  size_t i;
  V operator()(int k) const { return hn::LoadU(D(), x[k] + i); }
};
struct Rest {
  Operands x;
  size_t i, count;
  V operator()(int k) const {
    HWY_ALIGN float padded[kMaxLanes] = {};
    std::memcpy(padded, x[k] + i, count * sizeof(float));
    return hn::Load(D(), padded);
  }
};

// Results of whole vectors, and of what is left.
struct PutWhole {
  float* const* out;
  size_t i;
  void operator()(int k, V value) const { hn::StoreU(value, D(), out[k] + i); }
};
struct PutRest {
  float* const* out;
  size_t i, count;
  void operator()(int k, V value) const {
    HWY_ALIGN float rest[kMaxLanes];
    hn::Store(value, D(), rest);
    std::memcpy(out[k] + i, rest, count * sizeof(float));
  }
};

// Every operand is read before a result is written.
struct Blend {
  V s, t;
  explicit Blend(Operands x) : s(number(x, 1)), t(number(x, 3)) {}
  template <class Load, class Put>
  void operator()(const Load& load, const Put& put) const {
    put(0, hn::MulAdd(load(2), t, hn::Mul(load(0), s)));
  }
};

template <int kWhat>
struct Adam {
  static constexpr bool kDecays = (kWhat & GroupFunctions::kDecayed) != 0,
                        kScales = (kWhat & GroupFunctions::kScaled) != 0,
                        kAverages = (kWhat & GroupFunctions::kAveraged) != 0;
  V s, t, s2, t2, root, epsilon, rate, kept, scale, s3, t3;
  explicit Adam(Operands x)
      : s(number(x, 1)),
        t(number(x, 3)),
        s2(number(x, 5)),
        t2(number(x, 6)),
        root(number(x, 7)),
        epsilon(number(x, 8)),
        rate(number(x, 9)),
        kept(number(x, 11)),
        scale(number(x, 12)),
        s3(number(x, 14)),
        t3(number(x, 15)) {}
  template <class Load, class Put>
  void operator()(const Load& load, const Put& put) const {
    const V g = kScales ? hn::Mul(load(2), scale) : load(2), p = load(10);
    const V m = hn::MulAdd(g, t, hn::Mul(load(0), s));
    const V v = hn::MulAdd(hn::Mul(g, g), t2, hn::Mul(load(4), s2));
    const V direction = hn::Div(m, hn::MulAdd(hn::Sqrt(v), root, epsilon));
    const V next = hn::NegMulAdd(direction, rate, kDecays ? hn::Mul(p, kept) : p);
    const V average = kAverages ? hn::MulAdd(next, t3, hn::Mul(load(13), s3)) : next;
    put(0, m);
    put(1, v);
    put(2, next);
    if (kAverages) put(3, average);
  }
};

// While it lives, this thread neither reads nor makes numbers below 2^-126: bits 6 and 15 of MXCSR.
class FlushTiny {
 public:
  FlushTiny() { _mm_setcsr(before_ | 1u << 6 | 1u << 15); }
  ~FlushTiny() { _mm_setcsr(before_); }
  FlushTiny(const FlushTiny&) = delete;
  FlushTiny& operator=(const FlushTiny&) = delete;

 private:
  const unsigned before_ = _mm_getcsr();
};

template <class F>
void run(Operands x, float* const* out, int64_t n) {
  const FlushTiny flush;
  const F f(x);
  const auto count = static_cast<size_t>(n), lanes = hn::Lanes(D());
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) f(Whole{x, i}, PutWhole{out, i});
  if (i < count) f(Rest{x, i, count - i}, PutRest{out, i, count - i});
}

const GroupFunctions* functions() {
  static constexpr GroupFunctions all{run<Blend>,
                                      {run<Adam<0>>, run<Adam<1>>, run<Adam<2>>, run<Adam<3>>, run<Adam<4>>,
                                       run<Adam<5>>, run<Adam<6>>, run<Adam<7>>}};
  return &all;
}

}  // namespace
}  // namespace temper::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace temper::cpu {
HWY_EXPORT(functions);
const GroupFunctions& group_functions() { return *HWY_DYNAMIC_DISPATCH(functions)(); }
}  // namespace temper::cpu
#endif
