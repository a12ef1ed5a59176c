#include "tensor/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace temper {
namespace {

double distance(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  const double gap = std::fabs(a - b);
  return std::isfinite(gap) ? gap : std::numeric_limits<double>::infinity();
}

std::string position(int64_t flat, const Shape& shape) {
  std::vector<int64_t> index(static_cast<size_t>(shape.rank()));
  for (int axis = shape.rank(); axis-- > 0;) {
    index[static_cast<size_t>(axis)] = flat % shape.size(axis);
    flat /= shape.size(axis);
  }
  return concat("[", join(index, ", "), "]");
}

// Calls visit(i, a, b, |a - b|) for each element; 64-bit integers are subtracted as integers.
template <class Visit>
void for_each_pair(const Tensor& a, const Tensor& b, Visit&& visit) {
  if (is_float(a.dtype()) || is_float(b.dtype()) || a.dtype() != b.dtype()) {
    const std::vector<double> left = to_doubles(a), right = to_doubles(b);
    for (size_t i = 0; i < left.size(); ++i) visit(i, left[i], right[i], distance(left[i], right[i]));
    return;
  }
  const std::vector<int64_t> left = to_int64s(a), right = to_int64s(b);
  const bool wide = a.dtype() == DType::u64;
  for (size_t i = 0; i < left.size(); ++i) {
    const auto x = static_cast<uint64_t>(left[i]), y = static_cast<uint64_t>(right[i]);
    const bool less = wide ? x < y : left[i] < right[i];
    const auto gap = static_cast<double>(less ? y - x : x - y);
    visit(i, wide ? static_cast<double>(x) : static_cast<double>(left[i]),
          wide ? static_cast<double>(y) : static_cast<double>(right[i]), gap);
  }
}

}  // namespace

Difference difference(const Tensor& a, const Tensor& b) {
  TEMPER_CHECK(a.shape() == b.shape(), to_string(a.type()), " against ", to_string(b.type()));
  Difference worst;
  for_each_pair(a, b, [&](size_t i, double x, double y, double gap) {
    if (gap == 0) return;
    if (worst.at < 0 || gap > worst.max_abs) {
      worst.max_abs = gap, worst.at = static_cast<int64_t>(i), worst.a = x, worst.b = y;
    }
    const double size = std::max(std::fabs(x), std::fabs(y));
    worst.max_rel = std::max(worst.max_rel, std::isfinite(gap) ? gap / size : gap);
  });
  return worst;
}

bool close(const Tensor& a, const Tensor& b, double rtol, double atol, std::string* why) {
  if (a.type() != b.type()) {
    if (why) *why = concat("types differ: ", to_string(a.type()), " and ", to_string(b.type()));
    return false;
  }
  int64_t beyond = 0, worst = -1;
  double worst_excess = -1, worst_a = 0, worst_b = 0;
  for_each_pair(a, b, [&](size_t i, double x, double y, double gap) {
    const double allowed = std::isfinite(y) ? atol + rtol * std::fabs(y) : atol;
    if (gap <= allowed) return;
    ++beyond;
    if (gap - allowed > worst_excess) {
      worst_excess = gap - allowed, worst = static_cast<int64_t>(i), worst_a = x, worst_b = y;
    }
  });
  if (beyond > 0 && why) {
    *why = concat(beyond, " of ", a.elements(), " elements of ", to_string(a.type()), " differ by more than ",
                  atol, " + ", rtol, " * |b|, the worst at ", position(worst, a.shape()), ": ", worst_a,
                  " and ", worst_b);
  }
  return beyond == 0;
}

}  // namespace temper
