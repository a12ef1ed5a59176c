// Reductions: which axes, where they are given, what is computed.
#include <array>

#include "formats/onnx/call.h"

namespace temper::onnx {

namespace {

struct Reduction {
  Ints axes;
  bool nothing = false;  // no axes, and that means none
  bool keep = true;      // reduced axes stay, with size 1
  std::vector<int> kept;
};

// Axes moved from an attribute to input 1 at 18 (ReduceSum: 13).
Reduction reduction(Call& c) {
  const int rank = c.rank(0);
  const bool by_input = c.opset >= (c.node.op_type == "ReduceSum" ? 13 : 18);
  const bool none_means_none = c.integer("noop_with_empty_axes", 0) != 0;
  Ints given = by_input ? (c.has(1) ? c.integers(1) : Ints()) : c.integers("axes");
  Reduction result;
  result.keep = c.integer("keepdims", 1) != 0;
  if (given.empty() && none_means_none) return result.nothing = true, result;
  for (int i = 0; given.empty() && i < rank; ++i) result.kept.push_back(i);
  if (!given.empty()) result.kept = c.axes(given, rank);
  result.axes.assign(result.kept.begin(), result.kept.end());
  return result;
}

Value finish(Call& c, const Reduction& by, Value reduced) {
  return by.keep ? with_axes(c, reduced, by.kept) : reduced;
}

using Step = Value (*)(Call&, Value);
Value same(Call&, Value x) { return x; }
Value absolute(Call& c, Value x) { return ops::abs(c.b, x); }
Value squared(Call& c, Value x) { return ops::mul(c.b, x, x); }
Value root(Call& c, Value x) {
  return is_float(c.b.dtype(x))
             ? ops::sqrt(c.b, x)
             : ops::convert(c.b, ops::sqrt(c.b, ops::convert(c.b, x, DType::f64)), c.b.dtype(x));
}
Value logarithm(Call& c, Value x) { return ops::log(c.b, x); }

// after(sum of before(x)); with no axes the sum is left out.
template <Step before, Step after>
Results reduce_sum(Call& c) {
  const Reduction by = reduction(c);
  const Value x = before(c, c.in(0));
  if (by.nothing) return {after(c, x)};
  return {after(c, finish(c, by, ops::reduce_sum(c.b, x, by.axes)))};
}

Results reduce_as(Call& c, std::string_view kind) {
  const Reduction by = reduction(c);
  if (by.nothing) return {c.in(0)};
  return {finish(c, by, ops::reduce(c.b, c.in(0), by.axes, kind))};
}
bool is_boolean(Call& c) { return c.type(0).dtype == DType::boolean; }
Results reduce_max(Call& c) { return reduce_as(c, is_boolean(c) ? "or" : "max"); }
Results reduce_min(Call& c) { return reduce_as(c, is_boolean(c) ? "and" : "min"); }
Results reduce_product(Call& c) { return reduce_as(c, "prod"); }

Results reduce_mean(Call& c) {
  const Reduction by = reduction(c);
  if (by.nothing) return {c.in(0)};
  return {finish(c, by, ops::reduce_mean(c.b, c.in(0), by.axes))};
}

// log sum exp with the largest element taken out; an infinite one stays itself.
Results reduce_log_sum_exp(Call& c) {
  const Reduction by = reduction(c);
  const Value x = c.in(0);
  if (by.nothing) return {ops::log(c.b, ops::exp(c.b, x))};
  const Value largest = ops::reduce_max(c.b, x, by.axes);
  const Value finite = ops::select(c.b, ops::is_finite(c.b, largest), largest, splat(c, largest, 0));
  const Value shift = broadcast(c, with_axes(c, finite, by.kept), c.b.shape(x));
  const Value total = ops::reduce_sum(c.b, ops::exp(c.b, ops::sub(c.b, x, shift)), by.axes);
  return {finish(c, by, ops::add(c.b, ops::log(c.b, total), finite))};
}

constexpr std::array kRows{
    Row{"ReduceSum", 1, kNewest, reduce_sum<same, same>},
    Row{"ReduceL1", 1, kNewest, reduce_sum<absolute, same>},
    Row{"ReduceL2", 1, kNewest, reduce_sum<squared, root>},
    Row{"ReduceSumSquare", 1, kNewest, reduce_sum<squared, same>},
    Row{"ReduceLogSum", 1, kNewest, reduce_sum<same, logarithm>},
    Row{"ReduceLogSumExp", 1, kNewest, reduce_log_sum_exp},
    Row{"ReduceMean", 1, kNewest, reduce_mean},
    Row{"ReduceMax", 1, kNewest, reduce_max},
    Row{"ReduceMin", 1, kNewest, reduce_min},
    Row{"ReduceProd", 1, kNewest, reduce_product},
};

}  // namespace

std::span<const Row> reduce_rows() { return kRows; }

}  // namespace temper::onnx
