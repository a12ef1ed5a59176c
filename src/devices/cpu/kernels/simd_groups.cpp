// The functions of groups.h.
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

struct Blend {
  V s, t;
  explicit Blend(Operands x) : s(number(x, 1)), t(number(x, 3)) {}
  template <class Load>
  V operator()(const Load& load) const {
    return hn::MulAdd(load(2), t, hn::Mul(load(0), s));
  }
};

struct BlendSquare {
  V s, t;
  explicit BlendSquare(Operands x) : s(number(x, 1)), t(number(x, 3)) {}
  template <class Load>
  V operator()(const Load& load) const {
    const V y = load(2);
    return hn::MulAdd(hn::Mul(y, y), t, hn::Mul(load(0), s));
  }
};

template <bool kDecays>
struct AdamStep {
  V root, epsilon, rate, kept;
  explicit AdamStep(Operands x)
      : root(number(x, 1)), epsilon(number(x, 2)), rate(number(x, 4)), kept(number(x, 6)) {}
  template <class Load>
  V operator()(const Load& load) const {
    const V direction = hn::Div(load(3), hn::MulAdd(hn::Sqrt(load(0)), root, epsilon));
    const V p = load(5);
    return hn::NegMulAdd(direction, rate, kDecays ? hn::Mul(p, kept) : p);
  }
};

template <class F>
void run(Operands x, float* out, int64_t n) {
  const F f(x);
  const auto count = static_cast<size_t>(n), lanes = hn::Lanes(D());
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(f(Whole{x, i}), D(), out + i);
  if (i == count) return;
  HWY_ALIGN float rest[kMaxLanes];
  hn::Store(f(Rest{x, i, count - i}), D(), rest);
  std::memcpy(out + i, rest, (count - i) * sizeof(float));
}

const GroupFunctions* functions() {
  static constexpr GroupFunctions all{run<Blend>, run<BlendSquare>, run<AdamStep<false>>,
                                      run<AdamStep<true>>};
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
