// Convolution of any stride, padding, dilation of either operand, and grouping.
#include "ops/conv_general.h"

namespace temper {

ops::ConvDims conv_dims(const Attributes& attributes) {
  return {attributes.get<Ints>("strides"),        attributes.get<Ints>("low"),
          attributes.get<Ints>("high"),           attributes.get<Ints>("x_dilation"),
          attributes.get<Ints>("w_dilation"),     attributes.get<int64_t>("groups"),
          attributes.get<int64_t>("batch_groups")};
}

std::optional<int64_t> spread_difference(const Dim& a, int64_t a_dilation, const Dim& b, int64_t b_dilation) {
  if (a.is_static() && b.is_static()) return dilated(a.size(), a_dilation) - dilated(b.size(), b_dilation);
  const std::optional<Dim> x = product(std::vector<Dim>{a, a_dilation}),
                           y = product(std::vector<Dim>{b, b_dilation});
  return x && x == y ? std::optional(b_dilation - a_dilation) : std::nullopt;
}

namespace {

void expect_groups(const InferContext& c, const ops::ConvDims& dims) {
  const Shape &x = c.inputs[0].shape, &w = c.inputs[1].shape;
  if (dims.groups < 1 || dims.batch_groups < 1 || (dims.groups > 1 && dims.batch_groups > 1))
    c.fail(concat("groups ", dims.groups, " and batch_groups ", dims.batch_groups,
                  " must be positive and one of them 1"));
  if (quotient(x[1], dims.groups) != w[1])
    c.fail(concat("x ", to_string(c.inputs[0]), " has not ", dims.groups, " groups of the channels of w ",
                  to_string(c.inputs[1])));
  if (!quotient(w[0], dims.groups * dims.batch_groups) || !quotient(x[0], dims.batch_groups))
    c.fail(concat("x ", to_string(c.inputs[0]), " and w ", to_string(c.inputs[1]), " cannot be cut into ",
                  dims.groups, " groups and ", dims.batch_groups, " batch groups"));
}

// Both may be symbolic where the window slides over what it was made from, as in the gradient of w.
Dim conv_positions(const InferContext& c, const ops::ConvDims& dims, const Dim& x, const Dim& w, size_t i) {
  if (w.is_static())
    return window_positions(
        c, x, {w.size(), dims.strides[i], dims.low[i], dims.high[i], dims.x_dilation[i], dims.w_dilation[i]});
  const std::optional<int64_t> left = spread_difference(x, dims.x_dilation[i], w, dims.w_dilation[i]);
  if (!left) c.fail(concat("a symbolic window ", to_string(w), " cannot slide over ", to_string(x)));
  const int64_t steps = *left + dims.low[i] + dims.high[i];
  return steps < 0 ? 0 : steps / dims.strides[i] + 1;
}

std::vector<Type> infer_conv(const InferContext& c) {
  expect_inputs(c, 2);
  expect_equal_dtypes(c, 0, 1);
  expect_dtype(c, 0, is_arithmetic, "numbers");
  const Shape &x = c.inputs[0].shape, &w = c.inputs[1].shape;
  const int spatial = x.rank() - 2;
  if (spatial < 1 || spatial > 3 || w.rank() != x.rank())
    c.fail(concat("expected operands of one rank from 3 to 5, found ", to_string(c.inputs[0]), " and ",
                  to_string(c.inputs[1])));
  sizes_attribute(c, "strides", spatial, 1);
  sizes_attribute(c, "low", spatial, -(int64_t{1} << 40));
  sizes_attribute(c, "high", spatial, -(int64_t{1} << 40));
  sizes_attribute(c, "x_dilation", spatial, 1);
  sizes_attribute(c, "w_dilation", spatial, 1);
  const ops::ConvDims dims = conv_dims(c.attributes);
  expect_groups(c, dims);
  Shape shape{*quotient(x[0], dims.batch_groups), w[0]};
  for (int i = 0; i < spatial; ++i) {
    shape.push_back(conv_positions(c, dims, x[i + 2], w[i + 2], static_cast<size_t>(i)));
  }
  return {{c.inputs[0].dtype, shape}};
}

Ints spatial_sizes(const Shape& shape) {
  Ints sizes = shape.sizes();
  sizes.erase(sizes.begin(), sizes.begin() + 2);
  return sizes;
}

// For every position of y and every element of the window: where in x's spatial axes it reads, -1 for
// padding.
std::vector<int64_t> reads(const ops::ConvDims& dims, const Ints& x, const Ints& w, const Ints& y) {
  const Ints strides = row_major_strides(x);
  std::vector<int64_t> table;
  for_each_index(y, [&](const Ints& out) {
    for_each_index(w, [&](const Ints& window) {
      int64_t at = 0;
      for (size_t i = 0; i < x.size() && at >= 0; ++i) {
        const int64_t place = out[i] * dims.strides[i] - dims.low[i] + window[i] * dims.w_dilation[i];
        const bool read = place >= 0 && place % dims.x_dilation[i] == 0 && place / dims.x_dilation[i] < x[i];
        at = read ? at + place / dims.x_dilation[i] * strides[i] : -1;
      }
      table.push_back(at);
    });
  });
  return table;
}

template <class Number>
void convolve(const std::vector<Number>& x, const std::vector<Number>& w, std::vector<Number>& y,
              const ops::ConvDims& dims, const Shape& x_shape, const Shape& w_shape, const Shape& y_shape) {
  const Ints x_sizes = spatial_sizes(x_shape), w_sizes = spatial_sizes(w_shape),
             y_sizes = spatial_sizes(y_shape);
  const std::vector<int64_t> table = reads(dims, x_sizes, w_sizes, y_sizes);
  const int64_t x_area = Shape::of(x_sizes).elements(), w_area = Shape::of(w_sizes).elements(),
                y_area = Shape::of(y_sizes).elements();
  const int64_t channels = x_shape.size(1), per_group = w_shape.size(1), features = w_shape.size(0);
  const int64_t batch = y_shape.size(0);
  size_t target = 0;
  for (int64_t n = 0; n < batch; ++n) {
    for (int64_t o = 0; o < features; ++o) {
      const int64_t image = o / (features / dims.batch_groups) * batch + n;
      const int64_t first_channel = o / (features / dims.groups) * per_group;
      for (int64_t p = 0; p < y_area; ++p) {
        Number sum = 0;
        for (int64_t c = 0; c < per_group; ++c) {
          const int64_t plane = (image * channels + first_channel + c) * x_area;
          const int64_t window = (o * per_group + c) * w_area;
          for (int64_t k = 0; k < w_area; ++k) {
            const int64_t at = table[static_cast<size_t>(p * w_area + k)];
            if (at >= 0) sum += x[static_cast<size_t>(plane + at)] * w[static_cast<size_t>(window + k)];
          }
        }
        y[target++] = sum;
      }
    }
  }
}

std::vector<Array> evaluate_conv(const EvaluateContext& c) {
  const Array &x = *c.inputs[0], &w = *c.inputs[1];
  const ops::ConvDims dims = conv_dims(c.node.attributes);
  Array y = make_array(c.outputs[0]);
  if (is_float(y.type.dtype)) {
    convolve(x.reals, w.reals, y.reals, dims, x.type.shape, w.type.shape, y.type.shape);
    return {std::move(y)};
  }
  std::vector<uint64_t> sums(y.ints.size());  // unsigned: wraps without overflow
  convolve(std::vector<uint64_t>(x.ints.begin(), x.ints.end()),
           std::vector<uint64_t>(w.ints.begin(), w.ints.end()), sums, dims, x.type.shape, w.type.shape,
           y.type.shape);
  for (size_t i = 0; i < sums.size(); ++i) y.ints[i] = wrap(y.type.dtype, static_cast<int64_t>(sums[i]));
  return {std::move(y)};
}

}  // namespace

const Op conv_general_op{
    .name = "conv_general",
    .summary =
        "y = x convolved with w: `strides`, padding `low` and `high`, `x_dilation`, `w_dilation`, "
        "`groups` of channels or `batch_groups` of images",
    .infer = infer_conv,
    .evaluate = evaluate_conv,
    .vjp = vjp_conv,
    .samples = conv_samples};

namespace ops {

Value conv_general(Builder& b, Value x, Value w, const ConvDims& dims) {
  return b.emit(conv_general_op, {x, w},
                {{"batch_groups", integer(dims.batch_groups)},
                 {"groups", integer(dims.groups)},
                 {"high", dims.high},
                 {"low", dims.low},
                 {"strides", dims.strides},
                 {"w_dilation", dims.w_dilation},
                 {"x_dilation", dims.x_dilation}});
}

}  // namespace ops
}  // namespace temper
