// Conv and ConvTranspose.
#include <algorithm>
#include <array>

#include "formats/onnx/window.h"

namespace temper::onnx {

namespace {

// The kernel's spatial sizes: the weight has them; the attribute may only agree.
Ints kernel_of(Call& c, const Shape& weight) {
  Ints kernel;
  c.expect(weight.rank() >= 3 && weight.rank() <= 5, "weight ", to_string(weight), " has rank ",
           weight.rank(), ", expected 3 to 5");
  for (int i = 2; i < weight.rank(); ++i) {
    if (!weight[i].is_static()) c.unsupported("the kernel's size is free: ", to_string(weight));
    kernel.push_back(weight.size(i));
  }
  const Ints given = c.integers("kernel_shape");
  c.expect(given.empty() || given == kernel, "attribute kernel_shape differs from weight ",
           to_string(weight));
  return kernel;
}

Value add_bias(Call& c, Value y, Value bias) {
  if (!bias) return y;
  const Shape& shape = c.b.shape(y);
  c.expect(c.b.shape(bias) == Shape{shape[1]}, "bias ", to_string(c.b.shape(bias)), " does not fit ",
           to_string(shape));
  return ops::add(c.b, y, ops::broadcast_in_dim(c.b, bias, shape, {1}));
}

ops::Conv2d conv2d_of(const Window& window, int64_t groups) {
  return {window.strides, window.low, window.high, window.dilations, groups};
}

int64_t groups_of(Call& c) {
  const int64_t groups = c.integer("group", 1);
  c.expect(groups > 0, "attribute group is ", groups);
  return groups;
}

}  // namespace

Value convolve(Call& c, Value x, Value w, Value bias) {
  const Shape input = c.b.shape(x), weight = c.b.shape(w);
  const Window window = read_window(c, input, kernel_of(c, weight), false);
  const int64_t groups = groups_of(c);
  c.expect(c.b.dtype(x) == c.b.dtype(w), "input and weight are ", to_string(c.b.dtype(x)), " and ",
           to_string(c.b.dtype(w)));
  c.expect(
      multiply(weight[1], groups) == input[1] && (!weight[0].is_static() || weight.size(0) % groups == 0),
      "weight ", to_string(weight), " with ", groups, " groups does not fit input ", to_string(input));
  if (window.kernel.size() == 2 && is_float(c.b.dtype(x))) {
    if (bias)
      c.expect(c.b.shape(bias) == Shape{weight[0]}, "bias ", to_string(c.b.shape(bias)),
               " does not fit weight ", to_string(weight));
    return ops::conv2d(c.b, x, w, bias, conv2d_of(window, groups));
  }
  const Ints ones(window.kernel.size(), 1);
  const Value y = ops::conv_general(
      c.b, x, w, {window.strides, window.low, window.high, ones, window.dilations, groups, 1});
  return add_bias(c, y, bias);
}

namespace {

Results conv(Call& c) { return {convolve(c, c.in(0), c.in(1), c.maybe(2))}; }

struct Transposed {
  Window window;
  Ints output;      // spatial sizes
  Ints adjustment;  // output_padding
};

// Output sizes and paddings, each of which the file may give in terms of the other.
Transposed transposed_window(Call& c, const Shape& x, const Shape& weight) {
  Transposed t;
  const std::string automatic = c.word("auto_pad", "NOTSET");
  Ints output = c.integers("output_shape");
  const size_t axes = static_cast<size_t>(weight.rank()) - 2;
  const auto per_axis = [&](std::string_view name, int64_t otherwise) {
    Ints values = c.integers(name);
    if (values.empty()) values.assign(axes, otherwise);
    c.expect(values.size() == axes, "attribute ", name, " has ", values.size(), " entries, expected ", axes);
    for (const int64_t value : values)
      c.expect(value >= otherwise && value < (int64_t{1} << 31), "attribute ", name, " holds ", value);
    return values;
  };
  t.window.kernel = kernel_of(c, weight);
  t.window.strides = per_axis("strides", 1);
  t.window.dilations = per_axis("dilations", 1);
  t.adjustment = per_axis("output_padding", 0);
  t.window.low.assign(axes, 0);
  t.window.high.assign(axes, 0);
  const Ints pads = c.integers("pads");
  c.expect(pads.empty() || pads.size() == 2 * axes, "attribute pads has ", pads.size(), " entries, expected ",
           2 * axes);
  if (output.size() == axes + 2) output.erase(output.begin(), output.begin() + 2);
  c.expect(output.empty() || output.size() == axes, "attribute output_shape has ", output.size(),
           " entries, expected ", axes);
  c.expect(x.rank() == weight.rank(), "input ", to_string(x), " and weight ", to_string(weight),
           " differ in rank");
  for (size_t i = 0; i < axes; ++i) {
    const Dim& dim = x[static_cast<int>(i) + 2];
    if (!dim.is_static()) c.unsupported("the spatial dimension ", to_string(dim), " is free");
    const int64_t full = t.window.strides[i] * (dim.size() - 1) + t.adjustment[i] +
                         (t.window.kernel[i] - 1) * t.window.dilations[i] + 1;
    const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
    if (!output.empty() || same) {
      const int64_t wanted = output.empty() ? dim.size() * t.window.strides[i] : output[i];
      const int64_t total = full - wanted;  // negative: more output than the kernel reaches
      const int64_t half = total >= 0 ? total / 2 : -((-total + 1) / 2);
      t.window.low[i] = automatic == "SAME_UPPER" ? half : total - half;
      t.window.high[i] = total - t.window.low[i];
    } else if (!pads.empty()) {
      t.window.low[i] = pads[i];
      t.window.high[i] = pads[axes + i];
    }
    t.output.push_back(full - t.window.low[i] - t.window.high[i]);
    c.expect(t.output[i] >= 0 && t.output[i] < (int64_t{1} << 40), "the output has size ", t.output[i]);
  }
  return t;
}

// Any number of axes: a convolution over the input spread by the strides, with the kernel turned round.
Value transposed_general(Call& c, Value x, Value w, const Transposed& t, int64_t groups) {
  const Shape shape = c.b.shape(w);
  const auto axes = static_cast<int>(t.window.kernel.size());
  std::vector<Dim> split{groups, shape.size(0) / groups, shape[1]},
      merged{shape.size(1) * groups, shape.size(0) / groups};
  Ints permutation{0, 2, 1}, spatial;
  for (int i = 0; i < axes; ++i) {
    split.push_back(shape[i + 2]);
    merged.push_back(shape[i + 2]);
    permutation.push_back(i + 3);
    spatial.push_back(i + 2);
  }
  w = ops::transpose(c.b, reshape_to(c, w, split), permutation);
  w = ops::reverse(c.b, reshape_to(c, w, merged), spatial);
  ops::ConvDims dims{
      Ints(static_cast<size_t>(axes), 1), {}, {}, t.window.strides, t.window.dilations, groups, 1};
  for (size_t i = 0; i < t.window.kernel.size(); ++i) {
    const int64_t reach = (t.window.kernel[i] - 1) * t.window.dilations[i];
    dims.low.push_back(reach - t.window.low[i]);
    dims.high.push_back(reach - t.window.high[i] + t.adjustment[i]);
  }
  return ops::conv_general(c.b, x, w, dims);
}

Results conv_transpose(Call& c) {
  const Value x = c.in(0), w = c.in(1), bias = c.maybe(2);
  const Shape input = c.b.shape(x), weight = c.b.shape(w);
  const int64_t groups = groups_of(c);
  const Transposed t = transposed_window(c, input, weight);
  c.expect(c.b.dtype(x) == c.b.dtype(w), "input and weight are ", to_string(c.b.dtype(x)), " and ",
           to_string(c.b.dtype(w)));
  c.expect(weight.is_static() && input[1] == weight[0] && weight.size(0) % groups == 0, "weight ",
           to_string(weight), " with ", groups, " groups does not fit input ", to_string(input));
  Shape output{input[0], weight.size(1) * groups};
  bool plain = t.window.kernel.size() == 2;
  for (size_t i = 0; i < t.output.size(); ++i) {
    output.push_back(t.output[i]);
    // conv2d of the output gives back the input's size only while the adjustment is below the stride.
    plain = plain && t.adjustment[i] < t.window.strides[i] && t.window.low[i] >= 0 && t.window.high[i] >= 0;
  }
  const Value y = plain ? ops::conv_input_grad(c.b, x, w, output, conv2d_of(t.window, groups))
                        : transposed_general(c, x, w, t, groups);
  return {add_bias(c, y, bias)};
}

constexpr std::array kRows{
    Row{"Conv", 1, kNewest, conv},
    Row{"ConvTranspose", 1, kNewest, conv_transpose},
};

}  // namespace

std::span<const Row> conv_rows() { return kRows; }

}  // namespace temper::onnx
