#pragma once
// Windows that slide over the two spatial axes of [n, c, height, width]: shared by convolution and pooling.
#include "ops/composite.h"

namespace temper::ops {

struct Window {  // two entries each: height, width
  Ints size, strides, low, high, dilations;

  int64_t extent(size_t axis) const { return dilations[axis] * (size[axis] - 1) + 1; }
};

// Reads strides, low, high and dilations; fails unless they have two entries in their ranges.
Window require_window(const InferContext& context, const Ints& size);

// Windows along spatial axis `axis` (0: height) of a tensor with `size` there. A symbolic size must not
// change.
Dim window_count(const InferContext& context, const Window& window, size_t axis, const Dim& size);

// The result's shape [x[0], channels, rows, columns].
Shape windowed_shape(const InferContext& context, const Window& window, const Shape& x, const Dim& channels);

void require_static_picture(const InferContext& context, const Shape& x);  // [n, c, h, w]

// The spatial sizes of a shape [n, c, height, width]; both static.
Ints spatial_sizes(const Shape& shape);

}  // namespace temper::ops
