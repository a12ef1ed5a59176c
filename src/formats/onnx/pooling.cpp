// Pooling, windowed and global.
#include <algorithm>
#include <array>
#include <cmath>

#include "formats/onnx/window.h"

namespace temper::onnx {

namespace {

Ints spatial_axes(int rank) {
  Ints axes;
  for (int i = 2; i < rank; ++i) axes.push_back(i);
  return axes;
}

template <class T>
std::vector<T> with_front(std::vector<T> values, T front) {
  values.insert(values.begin(), 2, front);
  return values;
}

Value reduce_windows(Call& c, Value x, const Window& w, std::string_view kind) {
  return ops::reduce_window(c.b, x, with_front<int64_t>(w.kernel, 1), with_front<int64_t>(w.strides, 1),
                            with_front<int64_t>(w.low, 0), with_front<int64_t>(w.high, 0),
                            with_front<int64_t>(w.dilations, 1), kind);
}

ops::Pool2d pool2d(const Window& w) { return {w.kernel, w.strides, w.low, w.high, w.dilations}; }

// Where the largest element of each window stands in the whole input, counted row by row or (storage_order)
// column by column. One select per window element; ties go to the first.
Value positions_of_maximum(Call& c, Value x, const Window& w, bool column_major) {
  const Shape shape = c.b.shape(x);
  c.expect(shape.is_static(), "positions need a shape without free dimensions, found ", to_string(shape));
  const auto rank = static_cast<size_t>(shape.rank());
  const std::vector<int64_t> sizes = shape.sizes();
  Value place = ops::zeros(c.b, {DType::i64, shape});
  int64_t stride = 1;
  for (size_t i = rank; i-- > 0;) {  // axes from fast to slow
    const size_t axis = column_major && i >= 2 ? rank + 1 - i : i;
    const Value along = ops::iota(c.b, DType::i64, shape, static_cast<int64_t>(axis));
    place = ops::add(c.b, place,
                     ops::mul(c.b, along, ops::broadcast_to(c.b, constant_ints(c.b, {stride}, {}), shape)));
    stride *= sizes[axis];
  }
  const Ints low = with_front<int64_t>(w.low, 0), high = with_front<int64_t>(w.high, 0), none(rank);
  const bool real = is_float(c.b.dtype(x));
  const Value smallest =
      real ? ops::full(c.b, {c.b.dtype(x), {}}, -INFINITY)
           : ops::full(c.b, {c.b.dtype(x), {}},
                       is_signed(c.b.dtype(x)) ? -std::ldexp(1.0, bit_width(c.b.dtype(x)) - 1) : 0);
  x = ops::pad(c.b, x, smallest, low, high, none);
  place = ops::pad(c.b, place, constant_ints(c.b, {0}, {}), low, high, none);
  const Shape results = c.b.shape(reduce_windows(c, c.in(0), w, "max"));
  int64_t offsets = 1;
  for (const int64_t size : w.kernel) offsets *= std::min<int64_t>(size, 1 << 12);
  if (offsets > (1 << 10)) c.unsupported("positions in windows of ", offsets, " elements");
  Value best, at;
  for (int64_t offset = 0; offset < offsets; ++offset) {
    Ints starts(rank), limits = c.b.shape(x).sizes(), strides = with_front<int64_t>(w.strides, 1);
    int64_t rest = offset;
    for (size_t i = w.kernel.size(); i-- > 0; rest /= w.kernel[i]) {
      starts[i + 2] = rest % w.kernel[i] * w.dilations[i];
      limits[i + 2] = starts[i + 2] + (results.size(static_cast<int>(i) + 2) - 1) * w.strides[i] + 1;
    }
    const Value candidate = ops::slice(c.b, x, starts, limits, strides),
                from = ops::slice(c.b, place, starts, limits, strides);
    const Value wins = best ? ops::compare(c.b, candidate, best, "gt") : Value();
    at = best ? ops::select(c.b, wins, from, at) : from;
    best = best ? ops::select(c.b, wins, candidate, best) : candidate;
  }
  return at;
}

Results max_pool(Call& c) {
  const Value x = c.in(0);
  const Window w = read_window(c, c.b.shape(x), c.integers("kernel_shape"), true);
  const bool column_major = c.integer("storage_order", 0) != 0;
  const bool composite = w.kernel.size() == 2 && is_float(c.b.dtype(x));
  Results results{composite ? ops::max_pool(c.b, x, pool2d(w)) : reduce_windows(c, x, w, "max")};
  if (c.wants(1)) results.push_back(positions_of_maximum(c, x, w, column_major));
  return results;
}

// How many elements each window averages: those inside the input, and its padding if that counts, but never
// what ceil_mode added.
Value counts(Call& c, Value x, const Window& w, bool padding_counts, const Shape& results) {
  const Shape& shape = c.b.shape(x);
  Value total;
  for (size_t i = 0; i < w.kernel.size(); ++i) {
    const int axis = static_cast<int>(i) + 2;
    if (!shape[axis].is_static())
      c.unsupported("an average along the free dimension ", to_string(shape[axis]));
    const int64_t first = padding_counts ? 0 : w.low[i];
    const int64_t end =
        padding_counts ? w.low[i] + shape.size(axis) + w.high[i] - w.extra[i] : w.low[i] + shape.size(axis);
    c.expect(results.size(axis) <= (int64_t{1} << 24), "the output has size ", results.size(axis));
    Reals along;
    for (int64_t at = 0; at < results.size(axis); ++at) {
      int64_t count = 0;
      for (int64_t k = 0, place = at * w.strides[i]; k < w.kernel[i] && place < end;
           ++k, place += w.dilations[i])
        count += place >= first;
      along.push_back(static_cast<double>(count));
    }
    const Value vector = c.b.constant(from_doubles({c.b.dtype(x), {results[axis]}}, along));
    const Value spread = ops::broadcast_in_dim(c.b, vector, results, {axis});
    total = total ? ops::mul(c.b, total, spread) : spread;
  }
  return total;
}

Results average_pool(Call& c) {
  const Value x = c.in(0);
  const Window w = read_window(c, c.b.shape(x), c.integers("kernel_shape"), true);
  const bool padding_counts = c.integer("count_include_pad", 0) != 0;
  const bool even = std::all_of(w.extra.begin(), w.extra.end(), [](int64_t extra) { return extra == 0; });
  if (w.kernel.size() == 2 && (even || !padding_counts))
    return {ops::avg_pool(c.b, x, pool2d(w), padding_counts)};
  const Value total = reduce_windows(c, x, w, "sum");
  return {ops::div(c.b, total, counts(c, x, w, padding_counts, c.b.shape(total)))};
}

// (sum |x|^p)^(1/p) over windows.
Results lp_pool(Call& c) {
  const Value x = c.in(0);
  const Window w = read_window(c, c.b.shape(x), c.integers("kernel_shape"), true);
  const double p = static_cast<double>(c.integer("p", 2));
  const Value powers = ops::pow(c.b, ops::abs(c.b, x), splat(c, x, p));
  const Value total = reduce_windows(c, powers, w, "sum");
  return {ops::pow(c.b, total, splat(c, total, 1 / p))};
}

Value with_spatial_ones(Call& c, Value x, int rank) {
  std::vector<int> axes;
  for (int i = 2; i < rank; ++i) axes.push_back(i);
  return with_axes(c, x, axes);
}

Results global_average_pool(Call& c) {
  const int rank = c.rank(0, 2);
  return {with_spatial_ones(c, ops::reduce_mean(c.b, c.in(0), spatial_axes(rank)), rank)};
}
Results global_max_pool(Call& c) {
  const int rank = c.rank(0, 2);
  return {with_spatial_ones(c, ops::reduce_max(c.b, c.in(0), spatial_axes(rank)), rank)};
}
Results global_lp_pool(Call& c) {
  const int rank = c.rank(0, 2);
  const double p = static_cast<double>(c.integer("p", 2));
  const Value x = c.in(0), powers = ops::pow(c.b, ops::abs(c.b, x), splat(c, x, p));
  const Value total = with_spatial_ones(c, ops::reduce_sum(c.b, powers, spatial_axes(rank)), rank);
  return {ops::pow(c.b, total, splat(c, total, 1 / p))};
}

constexpr std::array kRows{
    Row{"MaxPool", 1, kNewest, max_pool},
    Row{"AveragePool", 7, kNewest, average_pool},
    Row{"LpPool", 2, kNewest, lp_pool},
    Row{"GlobalAveragePool", 1, kNewest, global_average_pool},
    Row{"GlobalMaxPool", 1, kNewest, global_max_pool},
    Row{"GlobalLpPool", 2, kNewest, global_lp_pool},
};

}  // namespace

std::span<const Row> pool_rows() { return kRows; }

}  // namespace temper::onnx
