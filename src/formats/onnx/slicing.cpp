// Operators that cut, join and pad.
#include <algorithm>
#include <array>
#include <climits>

#include "formats/onnx/call.h"

namespace temper::onnx {

namespace {

Results concat(Call& c) {
  std::vector<Value> parts;
  for (size_t i = 0; i < c.count(); ++i) parts.push_back(c.in(i));
  c.expect(!parts.empty(), "no inputs");
  const Shape first = c.shape(0);
  const int axis = c.axis(c.required("axis"), first.rank());
  for (const Value part : parts) {
    Shape other = c.b.shape(part);
    c.expect(other.rank() == first.rank() && c.b.dtype(part) == c.b.dtype(parts[0]),
             to_string(c.b.type(part)), " cannot be joined to ", to_string(c.type(0)));
    other[axis] = first[axis];
    c.expect(other == first, to_string(c.b.shape(part)), " cannot be joined to ", to_string(first),
             " along axis ", axis);
  }
  return {ops::concat(c.b, parts, axis)};
}

// x[begin : end] along one axis of known size.
Value cut(Call& c, Value x, int axis, int64_t begin, int64_t end) {
  const int rank = c.b.shape(x).rank();
  Ints starts(static_cast<size_t>(rank)), limits(static_cast<size_t>(rank), ops::kEnd),
      strides(static_cast<size_t>(rank), 1);
  starts[static_cast<size_t>(axis)] = begin;
  limits[static_cast<size_t>(axis)] = end;
  return ops::slice(c.b, x, starts, limits, strides);
}

Results split_at(Call& c, const Ints& sizes, int axis) {
  const Shape shape = c.shape(0);
  c.expect(sizes.size() == c.node.outputs.size(), sizes.size(), " sizes for ", c.node.outputs.size(),
           " outputs");
  if (sizes.size() == 1) return {c.in(0)};
  if (!shape[axis].is_static()) c.unsupported("splits the free dimension ", to_string(shape[axis]));
  int64_t at = 0;
  Results results;
  for (const int64_t size : sizes) {
    c.expect(size >= 0 && size <= shape.size(axis) - at, "sizes add to more than ", shape.size(axis));
    results.push_back(cut(c, c.in(0), axis, at, at + size));
    at += size;
  }
  c.expect(at == shape.size(axis), "sizes add to ", at, " of ", shape.size(axis));
  return results;
}

// Equal parts, the last one smaller if it does not come out even.
Ints even_sizes(Call& c, int axis, int64_t parts) {
  const Dim dim = c.shape(0)[axis];
  if (!dim.is_static()) c.unsupported("splits the free dimension ", to_string(dim));
  c.expect(parts > 0 && parts == static_cast<int64_t>(c.node.outputs.size()), parts, " parts for ",
           c.node.outputs.size(), " outputs");
  const int64_t size = (dim.size() + parts - 1) / parts;
  Ints sizes(static_cast<size_t>(parts), size);
  sizes.back() = dim.size() - size * (parts - 1);
  c.expect(sizes.back() >= 0, dim.size(), " cannot be split into ", parts);
  return sizes;
}

Results split_attribute(Call& c) {
  const int axis = c.axis(c.integer("axis", 0), c.rank(0));
  const Ints sizes = c.integers("split");
  return split_at(c, sizes.empty() ? even_sizes(c, axis, static_cast<int64_t>(c.node.outputs.size())) : sizes,
                  axis);
}
Results split(Call& c) {
  const int axis = c.axis(c.integer("axis", 0), c.rank(0));
  const int64_t parts = c.integer("num_outputs", static_cast<int64_t>(c.node.outputs.size()));
  return split_at(c, c.has(1) ? c.integers(1) : even_sizes(c, axis, parts), axis);
}

struct Cut {
  int64_t start, limit, step;
  bool reversed = false;
};

// ONNX's clamping, then a cut with a positive step: a negative one reverses first.
Cut resolve(Call& c, const Dim& dim, Dim start, Dim end, int64_t step) {
  c.expect(step != 0, "step is 0");
  if (!dim.is_static()) {
    const bool whole = start == Dim(0) && step == 1 && (end == dim || end.factor() >= INT32_MAX);
    const bool tail =
        start.is_static() && start.factor() >= 0 && step == 1 && (end == dim || end.factor() >= INT32_MAX);
    const bool flipped = step == -1 && start.is_static() &&
                         (start == Dim(-1) || start.factor() >= INT32_MAX) && end.is_static() &&
                         end.factor() <= -INT32_MAX;
    if (flipped) return {0, ops::kEnd, 1, true};
    if (whole || (tail && start == Dim(0))) return {0, ops::kEnd, 1};
    c.unsupported("cuts the free dimension ", to_string(dim), " from ", to_string(start), " to ",
                  to_string(end));
  }
  if (!start.is_static() || !end.is_static())
    c.unsupported("bounds ", to_string(start), " to ", to_string(end), " are not known");
  const int64_t size = dim.size(), low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  const auto clamped = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? std::max(at, -size - 1) + size : at, low, high);
  };
  const int64_t from = clamped(start.factor()), to = clamped(end.factor());
  if (step > 0) return {from, std::max(from, to), step};
  // Position p stands at size - 1 - p of the reversed axis.
  const int64_t first = size - 1 - from;
  return {first, std::max(first, size - 1 - to), step == INT64_MIN ? INT64_MAX : -step, true};
}

Results slice_by(Call& c, const std::vector<Dim>& starts, const std::vector<Dim>& ends, const Ints& axes,
                 const Ints& steps) {
  Value x = c.in(0);
  const Shape shape = c.b.shape(x);
  const auto rank = static_cast<size_t>(shape.rank());
  c.expect(starts.size() == ends.size() && axes.size() == starts.size() && steps.size() == starts.size(),
           starts.size(), " starts, ", ends.size(), " ends, ", axes.size(), " axes, ", steps.size(),
           " steps");
  c.axes(axes, shape.rank());
  Ints low(rank), limit(rank, ops::kEnd), stride(rank, 1), reversed;
  for (size_t i = 0; i < starts.size(); ++i) {
    const int axis = c.axis(axes[i], shape.rank());
    const Cut cut = resolve(c, shape[axis], starts[i], ends[i], steps[i]);
    const auto at = static_cast<size_t>(axis);
    low[at] = cut.start;
    limit[at] = cut.limit;
    // A step past the end takes one element whatever its size.
    stride[at] =
        shape[axis].is_static() ? std::min(cut.step, std::max<int64_t>(shape.size(axis), 1)) : cut.step;
    if (cut.reversed) reversed.push_back(axis);
  }
  if (!reversed.empty()) x = ops::reverse(c.b, x, reversed);
  return {ops::slice(c.b, x, low, limit, stride)};
}

Ints first_axes(size_t count) {
  Ints axes(count);
  for (size_t i = 0; i < count; ++i) axes[i] = static_cast<int64_t>(i);
  return axes;
}

Results slice_attributes(Call& c) {
  const Ints starts = c.integers("starts"), ends = c.integers("ends"), axes = c.integers("axes");
  return slice_by(c, {starts.begin(), starts.end()}, {ends.begin(), ends.end()},
                  axes.empty() ? first_axes(starts.size()) : axes, Ints(starts.size(), 1));
}

Results slice(Call& c) {
  const std::vector<Dim> starts = c.dims(1), ends = c.dims(2);
  return slice_by(c, starts, ends, c.has(3) ? c.integers(3) : first_axes(starts.size()),
                  c.has(4) ? c.integers(4) : Ints(starts.size(), 1));
}

// Where position `at` of an axis padded by reflection, repetition or wrapping comes from.
int64_t source_of(int64_t at, int64_t size, const std::string& mode) {
  if (mode == "edge") return std::clamp<int64_t>(at, 0, size - 1);
  const int64_t period = mode == "wrap" || size == 1 ? size : 2 * (size - 1);
  const int64_t phase = (at % period + period) % period;
  return phase < size ? phase : period - phase;
}

Value pad_axis(Call& c, Value x, int axis, int64_t low, int64_t high, const std::string& mode) {
  if (low == 0 && high == 0) return x;
  const Dim dim = c.b.shape(x)[axis];
  if (!dim.is_static()) c.unsupported("mode ", mode, " along the free dimension ", to_string(dim));
  const int64_t size = dim.size(), length = size + low + high;
  c.expect(size > 0 && length >= 0 && length <= (int64_t{1} << 24), "pads ", low, " and ", high,
           " for a size of ", size);
  Ints places;
  for (int64_t i = 0; i < length; ++i) places.push_back(source_of(i - low, size, mode));
  return ops::take(c.b, x, constant_ints(c.b, places, {length}), axis);
}

Results pad_by(Call& c, const Ints& pads, const std::vector<int>& axes, Value fill) {
  const std::string mode = c.word("mode", "constant");
  Value x = c.in(0);
  const auto rank = static_cast<size_t>(c.b.shape(x).rank());
  c.expect(pads.size() == 2 * axes.size(), pads.size(), " pads for ", axes.size(), " axes");
  c.expect(mode == "constant" || mode == "reflect" || mode == "edge" || mode == "wrap", "attribute mode is '",
           mode, "'");
  Ints low(rank), high(rank);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    low[axis] = pads[i];
    high[axis] = pads[axes.size() + i];
    for (const int64_t pad : {low[axis], high[axis]}) {
      constexpr int64_t kLimit = int64_t{1} << 40;
      c.expect(-kLimit < pad && pad < kLimit, "pads are too large");
    }
  }
  if (mode != "constant") {
    for (size_t i = 0; i < rank; ++i) x = pad_axis(c, x, static_cast<int>(i), low[i], high[i], mode);
    return {x};
  }
  if (!fill) fill = ops::full(c.b, {c.b.dtype(x), {}}, 0);
  c.expect(c.b.shape(fill).rank() == 0 || c.b.shape(fill) == Shape{1}, "the value is no scalar");
  return {ops::pad(c.b, x, ops::reshape(c.b, fill, Shape{}), low, high, Ints(rank, 0))};
}

std::vector<int> all_axes(int rank) {
  std::vector<int> axes;
  for (int i = 0; i < rank; ++i) axes.push_back(i);
  return axes;
}

Results pad_attributes(Call& c) {
  const Value fill = ops::full(c.b, {c.type(0).dtype, {}}, c.real("value", 0));
  return pad_by(c, c.integers("pads"), all_axes(c.rank(0)), fill);
}

Results pad(Call& c) {
  std::vector<int> axes = all_axes(c.rank(0));
  if (c.has(3)) {
    const Ints given = c.integers(3);
    c.axes(given, c.rank(0));  // in range, each once
    axes.clear();
    for (const int64_t axis : given) axes.push_back(c.axis(axis, c.rank(0)));
  }
  return pad_by(c, c.integers(1), axes, c.maybe(2));
}

// Cuts the middle out of each axis, or pads it on both sides.
Results center_crop_pad(Call& c) {
  const Ints given = c.has("axes") ? c.integers("axes") : first_axes(static_cast<size_t>(c.rank(0)));
  const Ints sizes = c.integers(1);
  const auto rank = static_cast<size_t>(c.rank(0));
  c.axes(given, c.rank(0));
  c.expect(given.size() == sizes.size(), sizes.size(), " sizes for ", given.size(), " axes");
  Ints low(rank), high(rank);
  for (size_t i = 0; i < given.size(); ++i) {
    const int axis = c.axis(given[i], c.rank(0));
    const Dim dim = c.shape(0)[axis];
    if (!dim.is_static()) c.unsupported("crops the free dimension ", to_string(dim));
    c.expect(sizes[i] >= 0 && sizes[i] < (int64_t{1} << 40), "size ", sizes[i]);
    const int64_t more = sizes[i] - dim.size();
    low[static_cast<size_t>(axis)] = more >= 0 ? more / 2 : -((-more) / 2);
    high[static_cast<size_t>(axis)] = more - low[static_cast<size_t>(axis)];
  }
  const Value fill = ops::full(c.b, {c.type(0).dtype, {}}, 0);
  return {ops::pad(c.b, c.in(0), fill, low, high, Ints(rank, 0))};
}

constexpr std::array kRows{
    Row{"Concat", 4, kNewest, concat}, Row{"Split", 2, 12, split_attribute},
    Row{"Split", 13, kNewest, split},  Row{"Slice", 1, 9, slice_attributes},
    Row{"Slice", 10, kNewest, slice},  Row{"Pad", 2, 10, pad_attributes},
    Row{"Pad", 11, kNewest, pad},      Row{"CenterCropPad", 18, kNewest, center_crop_pad},
};

}  // namespace

std::span<const Row> slicing_rows() { return kRows; }

}  // namespace temper::onnx
