#include "formats/onnx/window.h"

#include <algorithm>

namespace temper::onnx {

static Ints per_axis(Call& c, std::string_view name, size_t axes) {
  Ints values = c.integers(name);
  if (values.empty()) values.assign(axes, 1);
  c.expect(values.size() == axes, "attribute ", name, " has ", values.size(), " entries, expected ", axes);
  for (const int64_t value : values)
    c.expect(value > 0 && value < (int64_t{1} << 31), "attribute ", name, " holds ", value);
  return values;
}

static int64_t reach(const Window& window, size_t i) {
  return (window.kernel[i] - 1) * window.dilations[i] + 1;
}

// As many results as the input has strides, rounded up; the odd padding after (SAME_UPPER) or before.
static void pad_same(Call& c, Window& window, size_t i, const Dim& dim, bool upper) {
  int64_t total = 0;
  if (window.strides[i] == 1) {
    total = reach(window, i) - 1;
  } else {
    if (!dim.is_static())
      c.unsupported("auto_pad along the free dimension ", to_string(dim), " with stride ", window.strides[i]);
    const int64_t results = (dim.size() + window.strides[i] - 1) / window.strides[i];
    total = std::max<int64_t>(0, (results - 1) * window.strides[i] + reach(window, i) - dim.size());
  }
  window.low[i] = upper ? total / 2 : total - total / 2;
  window.high[i] = total - window.low[i];
}

// One window more where the last stride does not come out even, unless it would start in the padding after.
static void round_up(Call& c, Window& window, size_t i, const Dim& dim) {
  if (!dim.is_static()) c.unsupported("ceil_mode along the free dimension ", to_string(dim));
  const int64_t span = dim.size() + window.low[i] + window.high[i] - reach(window, i);
  if (span < 0) return;
  int64_t results = (span + window.strides[i] - 1) / window.strides[i] + 1;
  if ((results - 1) * window.strides[i] >= dim.size() + window.low[i]) --results;
  const int64_t needed = (results - 1) * window.strides[i] - span;
  if (needed > 0) window.extra[i] = needed;
  window.high[i] += window.extra[i];
}

Window read_window(Call& c, const Shape& x, Ints kernel, bool rounds) {
  const size_t axes = kernel.size();
  c.expect(axes > 0 && x.rank() == static_cast<int>(axes) + 2, to_string(x), " with a kernel of ", axes,
           " axes");
  Window window;
  for (const int64_t size : kernel) c.expect(size > 0 && size < (int64_t{1} << 31), "kernel size ", size);
  window.kernel = std::move(kernel);
  window.strides = per_axis(c, "strides", axes);
  window.dilations = per_axis(c, "dilations", axes);
  window.low.assign(axes, 0);
  window.high.assign(axes, 0);
  window.extra.assign(axes, 0);
  const std::string automatic = c.word("auto_pad", "NOTSET");
  const Ints pads = c.integers("pads");
  const bool round = rounds && c.integer("ceil_mode", 0) != 0;
  c.expect(
      automatic == "NOTSET" || automatic == "VALID" || automatic == "SAME_UPPER" || automatic == "SAME_LOWER",
      "attribute auto_pad is '", automatic, "'");
  c.expect(pads.empty() || pads.size() == 2 * axes, "attribute pads has ", pads.size(), " entries, expected ",
           2 * axes);
  for (size_t i = 0; i < axes; ++i) {
    const Dim& dim = x[static_cast<int>(i) + 2];
    if (automatic == "NOTSET" && !pads.empty()) {
      window.low[i] = pads[i];
      window.high[i] = pads[axes + i];
      c.expect(pads[i] >= 0 && pads[axes + i] >= 0 && pads[i] < (int64_t{1} << 31) &&
                   pads[axes + i] < (int64_t{1} << 31),
               "pads are negative or too large");
    }
    if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER")
      pad_same(c, window, i, dim, automatic == "SAME_UPPER");
    if (round) round_up(c, window, i, dim);
    if (dim.is_static())
      c.expect(dim.size() + window.low[i] + window.high[i] >= reach(window, i), "a window of ",
               reach(window, i), " does not fit ", dim.size(), " padded by ", window.low[i], " and ",
               window.high[i]);
  }
  return window;
}

}  // namespace temper::onnx
