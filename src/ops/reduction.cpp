#include "ops/reduction.h"

#include <cmath>

namespace temper {

static constexpr Reduction kReductions[] = {
    {"sum", 0, [](double x, double y) { return x + y; }, [](DType) -> int64_t { return 0; },
     [](DType, int64_t x, int64_t y) {
       return static_cast<int64_t>(static_cast<uint64_t>(x) + static_cast<uint64_t>(y));
     }},
    {"prod", 1, [](double x, double y) { return x * y; }, [](DType) -> int64_t { return 1; },
     [](DType, int64_t x, int64_t y) {
       return static_cast<int64_t>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));
     }},
    {"max", -HUGE_VAL, [](double x, double y) { return std::isnan(x) || x > y ? x : y; }, lowest_integer,
     [](DType d, int64_t x, int64_t y) { return less(d, x, y) ? y : x; }},
    {"min", HUGE_VAL, [](double x, double y) { return std::isnan(x) || x < y ? x : y; }, highest_integer,
     [](DType d, int64_t x, int64_t y) { return less(d, y, x) ? y : x; }},
    {"and", 0, nullptr, [](DType d) { return wrap(d, -1); },
     [](DType, int64_t x, int64_t y) { return x & y; }},
    {"or", 0, nullptr, [](DType) -> int64_t { return 0; }, [](DType, int64_t x, int64_t y) { return x | y; }},
};

const Reduction& reduction(std::string_view kind) {
  for (const Reduction& candidate : kReductions) {
    if (candidate.kind == kind) return candidate;
  }
  TEMPER_CHECK(false, "no reduction ", kind);
  return kReductions[0];
}

const Reduction& infer_reduction(const InferContext& c) {
  const Reduction& kind = reduction(word_attribute(c, "kind", {"sum", "prod", "max", "min", "and", "or"}));
  if (kind.fold) {
    expect_dtype(c, 0, is_arithmetic, "numbers");
  } else {
    expect_dtype(c, 0, is_bits, "booleans or integers");
  }
  return kind;
}

Array neutral_array(const Reduction& reduction, const Type& type) {
  Array array = make_array(type);
  std::fill(array.reals.begin(), array.reals.end(), reduction.neutral);
  std::fill(array.ints.begin(), array.ints.end(), reduction.neutral_integer(type.dtype));
  return array;
}

void fold_element(const Reduction& reduction, const Array& from, int64_t source, Array& into,
                  int64_t target) {
  const auto s = static_cast<size_t>(source), t = static_cast<size_t>(target);
  const DType dtype = from.type.dtype;
  if (is_float(dtype)) {
    into.reals[t] = reduction.fold(into.reals[t], from.reals[s]);
  } else {
    into.ints[t] = wrap(dtype, reduction.fold_integers(dtype, into.ints[t], from.ints[s]));
  }
}

Value neutral(Builder& b, const Reduction& reduction, DType dtype) {
  return b.constant(to_tensor(neutral_array(reduction, {dtype, {}})));
}

Value combine(Builder& b, const Reduction& reduction, Value x, Value y) {
  if (reduction.kind == "sum") return ops::add(b, x, y);
  if (reduction.kind == "prod") return ops::mul(b, x, y);
  if (reduction.kind == "max") return ops::max(b, x, y);
  if (reduction.kind == "min") return ops::min(b, x, y);
  return reduction.kind == "and" ? ops::bit_and(b, x, y) : ops::bit_or(b, x, y);
}

static Value zero_mask(Builder& b, Value x) { return ops::compare(b, x, b.scalar(b.dtype(x), 0), "eq"); }

Value is_zero(Builder& b, Value x) { return ops::convert(b, zero_mask(b, x), b.dtype(x)); }

Value ones_for_zeros(Builder& b, Value x) {
  return ops::select(b, zero_mask(b, x), b.scalar(b.dtype(x), 1), x);
}

// No zero: rest / x. One: rest, at that zero alone. More: 0.
Value product_slope(Builder& b, Value x, Value zeros, Value rest) {
  const Value others = ops::sub(b, zeros, is_zero(b, x));  // zeros besides x
  const Value slope = ops::div(b, rest, ones_for_zeros(b, x));
  return ops::select(b, zero_mask(b, others), slope, b.scalar(b.dtype(x), 0));
}

}  // namespace temper
