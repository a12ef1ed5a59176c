#include "ops/window.h"

#include <algorithm>

#include "ops/shape_rules.h"

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
  if (!size.is_static()) {
    return window_positions(context, size,
                            {.size = window.size[axis],
                             .stride = window.strides[axis],
                             .low = window.low[axis],
                             .high = window.high[axis],
                             .dilation = window.dilations[axis]});
  }
  if (size.size() > kMost) fail(context, "the spatial size ", size.size(), " is too large");
  const int64_t room = size.size() + window.low[axis] + window.high[axis] - window.extent(axis);
  if (room < 0) {
    fail(context, "a window of ", window.extent(axis), " does not fit into ", size.size(), " with padding ",
         window.low[axis], " and ", window.high[axis]);
  }
  return room / window.strides[axis] + 1;
}

Shape windowed_shape(const InferContext& context, const Window& window, const Shape& x, const Dim& channels) {
  return {x[0], channels, window_count(context, window, 0, x[2]), window_count(context, window, 1, x[3])};
}

void require_static_picture(const InferContext& context, const Shape& x) {
  if (!x[2].is_static() || !x[3].is_static())
    fail(context, "height and width must be numbers, the input is ", to_string(x));
}

Ints spatial_sizes(const Shape& shape) { return {shape.size(2), shape.size(3)}; }

}  // namespace temper::ops
