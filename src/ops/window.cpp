#include "ops/window.h"

#include <algorithm>

namespace temper::ops {

static constexpr int64_t kMost = int64_t{1} << 31;  // of any entry, so that no product overflows

static const Ints& require_pair(const InferContext& context, std::string_view name, const Ints& pair,
                                int64_t least) {
  const auto fits = [least](int64_t entry) { return entry >= least && entry <= kMost; };
  if (pair.size() != 2 || !std::ranges::all_of(pair, fits))
    fail(context, name, " must be two numbers (height, width) of at least ", least, ", got [",
         join(pair, ", "), "]");
  return pair;
}

Window require_window(const InferContext& context, const Ints& size) {
  const Attributes& attributes = context.attributes;
  return {require_pair(context, "window", size, 1),
          require_pair(context, "strides", attributes.get<Ints>("strides"), 1),
          require_pair(context, "low", attributes.get<Ints>("low"), 0),
          require_pair(context, "high", attributes.get<Ints>("high"), 0),
          require_pair(context, "dilations", attributes.get<Ints>("dilations"), 1)};
}

Dim window_count(const InferContext& context, const Window& window, size_t axis, const Dim& size) {
  const int64_t grown = window.low[axis] + window.high[axis] - window.extent(axis) + 1;
  if (!size.is_static()) {
    if (window.strides[axis] == 1 && grown == 0) return size;
    fail(context, "the spatial size ", to_string(size),
         " must be a number unless the result has the same size");
  }
  if (size.size() > kMost) fail(context, "the spatial size ", size.size(), " is too large");
  const int64_t room = size.size() + grown - 1;
  if (room < 0) {
    fail(context, "a window of ", window.extent(axis), " does not fit into ", size.size(), " with padding ",
         window.low[axis], " and ", window.high[axis]);
  }
  return room / window.strides[axis] + 1;
}

Shape windowed_shape(const InferContext& context, const Window& window, const Shape& x, const Dim& channels) {
  return {x[0], channels, window_count(context, window, 0, x[2]), window_count(context, window, 1, x[3])};
}

Ints spatial_sizes(const Shape& shape) { return {shape.size(2), shape.size(3)}; }

}  // namespace temper::ops
