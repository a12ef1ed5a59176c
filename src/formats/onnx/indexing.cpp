// Operators that read or write by index, and that find indices.
#include <algorithm>
#include <array>
#include <limits>

#include "formats/onnx/call.h"

namespace temper::onnx {

namespace {

// Axis size as a value broadcast to `shape`.
Value size_along(Call& c, Value x, int axis, DType dtype, const Shape& shape) {
  const Dim dim = c.b.shape(x)[axis];
  const Value size = dim.is_static() ? c.b.constant(from_int64s({dtype, {}}, std::array{dim.size()}))
                                     : ops::dimension_size(c.b, x, axis, dtype);
  return ops::broadcast_to(c.b, size, shape);
}

void expect_indices(Call& c, Value indices) {
  const DType dtype = c.b.dtype(indices);
  c.expect(dtype == DType::i32 || dtype == DType::i64, "indices are ", to_string(dtype),
           ", expected int32 or int64");
}

// Negative indices count from the end. Known ones are resolved here, so that no arithmetic stays.
Value wrap_indices(Call& c, Value x, int axis, Value indices, const std::string& name) {
  expect_indices(c, indices);
  const std::optional<Known> known = c.scope.known(name);
  if (known &&
      std::all_of(known->ints.begin(), known->ints.end(), [](const Dim& dim) { return dim.factor() >= 0; }))
    return indices;
  const Type type = c.b.type(indices);
  const Value negative = ops::compare(c.b, indices, ops::zeros(c.b, type), "lt");
  const Value wrapped = ops::add(c.b, indices, size_along(c, x, axis, type.dtype, type.shape));
  if (known && c.b.shape(x)[axis].is_static()) {
    Ints values;
    for (const Dim& dim : known->ints)
      values.push_back(dim.factor() < 0 ? dim.factor() + c.b.shape(x).size(axis) : dim.factor());
    return c.b.constant(from_int64s(type, values));
  }
  return ops::select(c.b, negative, wrapped, indices);
}

Results gather(Call& c) {
  const Value x = c.in(0);
  const int axis = c.axis(c.integer("axis", 0), c.rank(0, 1));
  return {ops::take(c.b, x, wrap_indices(c, x, axis, c.in(1), c.node.inputs[1]), axis)};
}

// One index vector per element of `indices`: its own place, but along `axis` what it holds.
Value element_places(Call& c, Value x, int axis, Value indices) {
  const Type type = c.b.type(indices);
  std::vector<Value> parts;
  std::vector<int> last{type.shape.rank()};
  for (int i = 0; i < type.shape.rank(); ++i) {
    const Value part = i == axis ? wrap_indices(c, x, axis, indices, c.node.inputs[1])
                                 : ops::iota(c.b, type.dtype, type.shape, i);
    parts.push_back(with_axes(c, part, last));
  }
  return ops::concat(c.b, parts, type.shape.rank());
}

Ints counting(int count) {
  Ints axes;
  for (int i = 0; i < count; ++i) axes.push_back(i);
  return axes;
}

Results gather_elements(Call& c) {
  const Value x = c.in(0), indices = c.in(1);
  const int rank = c.rank(0, 1), axis = c.axis(c.integer("axis", 0), rank);
  c.expect(c.rank(1) == rank, "indices have rank ", c.rank(1), ", expected ", rank);
  expect_indices(c, indices);
  const ops::GatherDims dims{{}, counting(rank), counting(rank), rank, Ints(static_cast<size_t>(rank), 1)};
  return {ops::gather(c.b, x, element_places(c, x, axis, indices), dims)};
}

// What ScatterElements and ScatterND call a reduction.
std::string scatter_kind(Call& c) {
  std::string word = c.word("reduction", "none");
  if (word == "none") return "set";
  c.expect(word == "add" || word == "mul" || word == "max" || word == "min", "attribute reduction is '", word,
           "'");
  return word;
}

Results scatter_elements(Call& c) {
  const Value x = c.in(0), indices = c.in(1), updates = c.in(2);
  const int rank = c.rank(0, 1), axis = c.axis(c.integer("axis", 0), rank);
  c.expect(
      c.b.shape(indices) == c.b.shape(updates) && c.rank(1) == rank && c.b.dtype(x) == c.b.dtype(updates),
      "updates ", to_string(c.b.type(updates)), " do not fit indices ", to_string(c.b.type(indices)));
  expect_indices(c, indices);
  const ops::ScatterDims dims{{}, counting(rank), counting(rank), rank};
  return {ops::scatter(c.b, x, element_places(c, x, axis, indices), updates, dims, scatter_kind(c))};
}

// Index vectors along the last axis; their parts count from the end when negative.
Value wrap_vectors(Call& c, Value x, int first, Value indices, const std::string& name) {
  const Type type = c.b.type(indices);
  const int depth = static_cast<int>(type.shape.size(type.shape.rank() - 1));
  const std::optional<Known> known = c.scope.known(name);
  if (known &&
      std::all_of(known->ints.begin(), known->ints.end(), [](const Dim& dim) { return dim.factor() >= 0; }))
    return indices;
  std::vector<Value> sizes;
  for (int i = 0; i < depth; ++i) sizes.push_back(size_along(c, x, first + i, type.dtype, Shape{1}));
  if (sizes.empty()) return indices;
  const Value wrapped =
      ops::add(c.b, indices, ops::broadcast_to(c.b, ops::concat(c.b, sizes, 0), type.shape));
  return ops::select(c.b, ops::compare(c.b, indices, ops::zeros(c.b, type), "lt"), wrapped, indices);
}

int vector_depth(Call& c, size_t input, int most) {
  const Shape shape = c.shape(input);
  c.expect(shape.rank() >= 1 && shape[shape.rank() - 1].is_static() && shape.size(shape.rank() - 1) <= most,
           "indices ", to_string(shape), " have vectors longer than ", most);
  return static_cast<int>(shape.size(shape.rank() - 1));
}

Results gather_nd(Call& c) {
  const Value x = c.in(0);
  Value indices = c.in(1);
  expect_indices(c, indices);
  const int rank = c.rank(0, 1);
  const int64_t batch_dims = c.integer("batch_dims", 0);
  c.expect(batch_dims >= 0 && batch_dims < rank && batch_dims < c.rank(1), "batch_dims is ", batch_dims);
  const int batch = static_cast<int>(batch_dims), depth = vector_depth(c, 1, rank - batch);
  indices = wrap_vectors(c, x, batch, indices, c.node.inputs[1]);
  const Shape shape = c.b.shape(indices);
  std::vector<Value> parts;  // batch axes become leading parts of the vectors
  Shape part = shape;
  part[shape.rank() - 1] = 1;
  for (int i = 0; i < batch; ++i) parts.push_back(ops::iota(c.b, c.b.dtype(indices), part, i));
  parts.push_back(indices);
  if (batch > 0) indices = ops::concat(c.b, parts, shape.rank() - 1);
  const int indexed = batch + depth, kept = rank - indexed, leading = shape.rank() - 1;
  ops::GatherDims dims{
      {}, counting(indexed), counting(indexed), leading, Ints(static_cast<size_t>(indexed), 1)};
  for (int i = 0; i < kept; ++i) {
    dims.offset_dims.push_back(leading + i);
    dims.slice_sizes.push_back(-1);
  }
  return {ops::gather(c.b, x, indices, dims)};
}

Results scatter_nd(Call& c) {
  const Value x = c.in(0), updates = c.in(2);
  expect_indices(c, c.in(1));
  const int rank = c.rank(0, 1), depth = vector_depth(c, 1, rank);
  const Value indices = wrap_vectors(c, x, 0, c.in(1), c.node.inputs[1]);
  const int leading = c.b.shape(indices).rank() - 1;
  c.expect(c.b.dtype(x) == c.b.dtype(updates) && c.b.shape(updates).rank() == leading + rank - depth,
           "updates ", to_string(c.b.type(updates)), " do not fit indices ", to_string(c.b.type(indices)));
  ops::ScatterDims dims{{}, counting(depth), counting(depth), leading};
  for (int i = 0; i < rank - depth; ++i) dims.update_window_dims.push_back(leading + i);
  return {ops::scatter(c.b, x, indices, updates, dims, scatter_kind(c))};
}

Results one_hot(Call& c) {
  Value indices = c.in(0);
  const Value values = c.in(2);
  const double given = c.real(1);
  const int axis = c.axis(c.integer("axis", -1), c.rank(0) + 1);
  c.expect(given >= 0 && given < 0x1p40, "depth is ", given);
  const auto depth = static_cast<int64_t>(given);
  c.expect(c.b.shape(values) == Shape{2}, "values have shape ", to_string(c.b.shape(values)),
           ", expected [2]");
  indices = ops::convert(c.b, indices, DType::i64);
  const Type type = c.b.type(indices);
  const Value all = ops::broadcast_to(c.b, constant_ints(c.b, {depth}, {}), type.shape);
  const Value negative = ops::compare(c.b, indices, ops::zeros(c.b, type), "lt");
  indices = with_axes(c, ops::select(c.b, negative, ops::add(c.b, indices, all), indices), {axis});
  Shape shape = c.b.shape(indices);
  shape[axis] = depth;
  const Value hit = ops::compare(c.b, ops::broadcast_to(c.b, indices, shape),
                                 ops::iota(c.b, DType::i64, shape, axis), "eq");
  const auto pick = [&](int64_t i) {
    return ops::broadcast_to(c.b, ops::reshape(c.b, ops::slice(c.b, values, {i}, {i + 1}, {1}), Shape{}),
                             shape);
  };
  return {ops::select(c.b, hit, pick(1), pick(0))};
}

Results arg_reduce(Call& c, std::string_view kind) {
  const int rank = c.rank(0, 1), axis = c.axis(c.integer("axis", 0), rank);
  const bool keep = c.integer("keepdims", 1) != 0, last = c.integer("select_last_index", 0) != 0;
  const Value found = ops::arg_reduce(c.b, c.in(0), axis, kind, DType::i64, last);
  return {keep ? with_axes(c, found, {axis}) : found};
}
Results arg_max(Call& c) { return arg_reduce(c, "max"); }
Results arg_min(Call& c) { return arg_reduce(c, "min"); }

Results top_k_of(Call& c, int64_t k) {
  const Value x = c.in(0);
  const int rank = c.rank(0, 1), axis = c.axis(c.integer("axis", -1), rank);
  const bool largest = c.integer("largest", 1) != 0;
  c.ignore({"sorted"});
  const Shape shape = c.b.shape(x);
  c.expect(k >= 0 && (!shape[axis].is_static() || k <= shape.size(axis)), "k is ", k, " of ",
           to_string(shape[axis]));
  const std::vector<Value> sorted =
      ops::sort(c.b, {x, ops::iota(c.b, DType::i64, shape, axis)}, axis, largest);
  Ints starts(static_cast<size_t>(rank)), limits(static_cast<size_t>(rank), ops::kEnd),
      strides(static_cast<size_t>(rank), 1);
  limits[static_cast<size_t>(axis)] = k;
  return {ops::slice(c.b, sorted[0], starts, limits, strides),
          ops::slice(c.b, sorted[1], starts, limits, strides)};
}
Results top_k_attribute(Call& c) { return top_k_of(c, c.required("k")); }
Results top_k(Call& c) { return top_k_of(c, c.integer(1)); }

Results cumulative(Call& c, std::string_view kind) {
  Value x = c.in(0);
  const int rank = c.rank(0, 1), axis = c.axis(c.integer(1), rank);
  const bool exclusive = c.integer("exclusive", 0) != 0, reverse = c.integer("reverse", 0) != 0;
  const Dim dim = c.b.shape(x)[axis];
  if (!dim.is_static()) c.unsupported("accumulates along the free dimension ", to_string(dim));
  const auto at = static_cast<size_t>(axis);
  Ints window(static_cast<size_t>(rank), 1), ones(static_cast<size_t>(rank), 1),
      low(static_cast<size_t>(rank)), high(static_cast<size_t>(rank));
  window[at] = std::max<int64_t>(dim.size(), 1);
  low[at] = window[at] - 1;
  if (reverse) x = ops::reverse(c.b, x, {axis});
  if (exclusive) {
    Ints before(static_cast<size_t>(rank)), after(static_cast<size_t>(rank));
    before[at] = 1;
    after[at] = -1;
    const Value neutral = ops::full(c.b, {c.b.dtype(x), {}}, kind == "prod" ? 1 : 0);
    x = ops::pad(c.b, x, neutral, before, after, Ints(static_cast<size_t>(rank)));
  }
  const Value result = ops::reduce_window(c.b, x, window, ones, low, high, ones, kind);
  return {reverse ? ops::reverse(c.b, result, {axis}) : result};
}
Results cumulative_sum(Call& c) { return cumulative(c, "sum"); }
Results cumulative_product(Call& c) { return cumulative(c, "prod"); }

// Hardmax: 1 at the first largest element.
Results hardmax(Call& c) {
  const int rank = c.rank(0, 1), axis = c.axis(c.integer("axis", c.opset < 13 ? 1 : -1), rank);
  const Shape shape = c.shape(0);
  for (int i = axis + 1; c.opset < 13 && i < rank; ++i)
    if (shape[i] != Dim(1)) c.unsupported("flattening before opset 13");
  const Value best = with_axes(c, ops::arg_reduce(c.b, c.in(0), axis, "max", DType::i64), {axis});
  const Value hit =
      ops::compare(c.b, ops::broadcast_to(c.b, best, shape), ops::iota(c.b, DType::i64, shape, axis), "eq");
  return {ops::convert(c.b, hit, c.type(0).dtype)};
}

constexpr std::array kRows{
    Row{"Gather", 1, kNewest, gather},
    Row{"GatherElements", 11, kNewest, gather_elements},
    Row{"GatherND", 11, kNewest, gather_nd},
    Row{"ScatterND", 11, kNewest, scatter_nd},
    Row{"ScatterElements", 11, kNewest, scatter_elements},
    Row{"Scatter", 9, 10, scatter_elements},
    Row{"OneHot", 9, kNewest, one_hot},
    Row{"ArgMax", 1, kNewest, arg_max},
    Row{"ArgMin", 1, kNewest, arg_min},
    Row{"TopK", 1, 9, top_k_attribute},
    Row{"TopK", 10, kNewest, top_k},
    Row{"CumSum", 11, kNewest, cumulative_sum},
    Row{"CumProd", 26, kNewest, cumulative_product},
    Row{"Hardmax", 1, kNewest, hardmax},
};

}  // namespace

std::span<const Row> index_rows() { return kRows; }

}  // namespace temper::onnx
