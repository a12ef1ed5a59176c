// Softmax, batch, layer, instance and group normalisation.
#include <algorithm>
#include <array>

#include "formats/onnx/call.h"

namespace temper::onnx {

namespace {

using AlongAxis = Value (*)(Builder&, Value, int64_t);

template <AlongAxis op>
Results along_axis(Call& c) {
  return {op(c.b, c.in(0), c.axis(c.integer("axis", -1), c.rank(0, 1)))};
}

// Before opset 13: over everything from `axis` on, as if it were one axis.
template <AlongAxis op>
Results over_the_rest(Call& c) {
  const Value x = c.in(0);
  const Shape shape = c.b.shape(x);
  const int axis = c.axis(c.integer("axis", 1), c.rank(0, 1));
  const auto first = shape.begin() + axis;
  const auto large = [](const Dim& dim) { return dim != Dim(1); };
  if (std::none_of(first + 1, shape.end(), large)) return {op(c.b, x, axis)};
  std::vector<Dim> dims(shape.begin(), first);
  dims.push_back(product(c, std::span(shape.dims()).subspan(static_cast<size_t>(axis))));
  return {reshape_to(c, op(c.b, reshape_to(c, x, std::move(dims)), axis), shape.dims())};
}

Value vector_of_channels(Call& c, size_t i, const Shape& x, DType dtype) {
  const Value value = c.in(i);
  c.expect(c.b.shape(value) == Shape{x[1]}, c.node.inputs[i], " has shape ", to_string(c.b.shape(value)),
           ", expected ", to_string(Shape{x[1]}));
  return ops::convert(c.b, value, dtype);
}

// Training mode gives the batch's own statistics and the running ones, moved. Where nobody reads the running
// ones the file was only exported in that mode; it is then read for inference, and trains as any batch norm.
Results batch_norm(Call& c) {
  const Value x = c.in(0);
  c.rank(0, 2);
  const Type type = c.b.type(x);
  const double epsilon = c.real("epsilon", 1e-5), momentum = c.real("momentum", 0.9);
  if (c.opset < 9 && c.integer("spatial", 1) == 0) c.unsupported("attribute spatial is 0");
  const Value scale = vector_of_channels(c, 1, type.shape, type.dtype),
              bias = vector_of_channels(c, 2, type.shape, type.dtype);
  const Value mean = vector_of_channels(c, 3, type.shape, type.dtype),
              variance = vector_of_channels(c, 4, type.shape, type.dtype);
  const bool reads_statistics = c.wants(1) || c.wants(2) || c.wants(3) || c.wants(4);
  const bool training = c.opset >= 14 && c.integer("training_mode", 0) != 0;
  if (!training && reads_statistics) c.unsupported("statistics as outputs outside of training_mode");
  if (training && !reads_statistics)
    c.scope.note(temper::concat("batch norm '", c.node.name,
                                "' was exported in training mode; it is read for inference"));
  if (!reads_statistics)
    return {ops::batch_norm_infer(c.b, x, scale, bias, mean, variance, epsilon, momentum)};
  const ops::BatchNormResult result = ops::batch_norm_train(c.b, x, scale, bias, epsilon);
  const auto moved = [&](Value old, Value now) {
    now = ops::convert(c.b, now, type.dtype);
    return ops::add(c.b, ops::mul(c.b, old, splat(c, old, momentum)),
                    ops::mul(c.b, now, splat(c, now, 1 - momentum)));
  };
  return {result.y, moved(mean, result.mean), moved(variance, result.variance)};
}

Value normalised_shape(Call& c, size_t i, const Shape& x, int axis) {
  return broadcast(c, c.in(i), Shape({x.begin() + axis, x.end()}));
}

Results layer_norm(Call& c) {
  const Value x = c.in(0);
  const Shape shape = c.b.shape(x);
  const int axis = c.axis(c.integer("axis", -1), c.rank(0, 1));
  c.expect(c.integer("stash_type", 1) == 1, "attribute stash_type is not float");
  const Value scale = normalised_shape(c, 1, shape, axis),
              bias = c.has(2) ? normalised_shape(c, 2, shape, axis) : Value();
  const ops::LayerNormResult result = ops::layer_norm(c.b, x, scale, bias, axis, c.real("epsilon", 1e-5));
  return {result.y, result.mean, result.rstd};
}

Results rms_norm(Call& c) {
  const Value x = c.in(0);
  const int axis = c.axis(c.integer("axis", -1), c.rank(0, 1));
  c.expect(c.integer("stash_type", 1) == 1, "attribute stash_type is not float");
  return {ops::rms_norm(c.b, x, normalised_shape(c, 1, c.b.shape(x), axis), axis, c.real("epsilon", 1e-5))};
}

// (x - mean) / sqrt(variance + epsilon) over `axes`, at least in f32.
Value standardise(Call& c, Value x, const Ints& axes, double epsilon) {
  const DType dtype = c.b.dtype(x);
  const std::vector<int> kept(axes.begin(), axes.end());
  Value wide = bit_width(dtype) < 32 ? ops::convert(c.b, x, DType::f32) : x;
  const auto mean_of = [&](Value value) {
    return broadcast(c, with_axes(c, ops::reduce_mean(c.b, value, axes), kept), c.b.shape(value));
  };
  const Value centred = ops::sub(c.b, wide, mean_of(wide));
  const Value variance = mean_of(ops::mul(c.b, centred, centred));
  return ops::convert(
      c.b, ops::mul(c.b, centred, ops::rsqrt(c.b, ops::add(c.b, variance, splat(c, variance, epsilon)))),
      dtype);
}

Ints axes_from(int first, int rank) {
  Ints axes;
  for (int i = first; i < rank; ++i) axes.push_back(i);
  return axes;
}

Value scale_and_shift(Call& c, Value x, Value scale, Value bias) {
  const Shape& shape = c.b.shape(x);
  return ops::add(c.b, ops::mul(c.b, x, ops::broadcast_in_dim(c.b, scale, shape, {1})),
                  ops::broadcast_in_dim(c.b, bias, shape, {1}));
}

Results instance_norm(Call& c) {
  const Value x = c.in(0);
  const int rank = c.rank(0, 3);
  const Type type = c.b.type(x);
  const Value normal = standardise(c, x, axes_from(2, rank), c.real("epsilon", 1e-5));
  return {scale_and_shift(c, normal, vector_of_channels(c, 1, type.shape, type.dtype),
                          vector_of_channels(c, 2, type.shape, type.dtype))};
}

// Scale and bias per channel; before opset 21 per group.
Results group_norm(Call& c) {
  const Value x = c.in(0);
  const Shape shape = c.b.shape(x);
  c.rank(0, 2);
  const int64_t groups = c.required("num_groups");
  c.ignore({"stash_type"});
  c.expect(groups > 0 && shape[1].is_static() && shape.size(1) % groups == 0, to_string(shape),
           " cannot be cut into ", groups, " groups");
  std::vector<Dim> grouped{shape[0], groups, shape.size(1) / groups};
  grouped.insert(grouped.end(), shape.begin() + 2, shape.end());
  const Value normal = reshape_to(
      c, standardise(c, reshape_to(c, x, grouped), axes_from(2, shape.rank() + 1), c.real("epsilon", 1e-5)),
      shape.dims());
  const auto per_channel = [&](size_t i) {
    const Value value = c.in(i);
    if (c.opset >= 21) return vector_of_channels(c, i, shape, c.b.dtype(x));
    c.expect(c.b.shape(value) == Shape{groups}, c.node.inputs[i], " has shape ", to_string(c.b.shape(value)),
             ", expected [", groups, "]");
    return reshape_to(c, ops::broadcast_in_dim(c.b, value, {groups, shape.size(1) / groups}, {0}),
                      {shape[1]});
  };
  return {scale_and_shift(c, normal, per_channel(1), per_channel(2))};
}

Results lp_normalization(Call& c) {
  const Value x = c.in(0);
  const int axis = c.axis(c.integer("axis", -1), c.rank(0, 1));
  const int64_t p = c.integer("p", 2);
  c.expect(p == 1 || p == 2, "attribute p is ", p, ", expected 1 or 2");
  const Value powers = p == 1 ? ops::abs(c.b, x) : ops::mul(c.b, x, x);
  Value norm = with_axes(c, ops::reduce_sum(c.b, powers, {axis}), {axis});
  if (p == 2) norm = ops::sqrt(c.b, norm);
  norm = broadcast(c, norm, c.b.shape(x));
  const Value zero = splat(c, x, 0);
  return {ops::select(c.b, ops::compare(c.b, norm, zero, "eq"), zero, ops::div(c.b, x, norm))};
}

Results mean_variance(Call& c) {
  const Ints given = c.has("axes") ? c.integers("axes") : Ints{0, 2, 3};
  const std::vector<int> axes = c.axes(given, c.rank(0));
  return {standardise(c, c.in(0), {axes.begin(), axes.end()}, 1e-9)};
}

// x / (bias + alpha / size * sum of squares of nearby channels)^beta
Results local_response(Call& c) {
  const Value x = c.in(0);
  const int rank = c.rank(0, 2);
  const int64_t size = c.required("size");
  const double alpha = c.real("alpha", 1e-4), beta = c.real("beta", 0.75), bias = c.real("bias", 1);
  c.expect(size > 0 && size < (1 << 24), "attribute size is ", size);
  Ints window(static_cast<size_t>(rank), 1), ones(static_cast<size_t>(rank), 1),
      low(static_cast<size_t>(rank)), high(static_cast<size_t>(rank));
  window[1] = size;
  low[1] = (size - 1) / 2;
  high[1] = size - 1 - low[1];
  const Value squares = ops::reduce_window(c.b, ops::mul(c.b, x, x), window, ones, low, high, ones, "sum");
  const Value base = ops::add(c.b, ops::mul(c.b, squares, splat(c, x, alpha / static_cast<double>(size))),
                              splat(c, x, bias));
  return {ops::div(c.b, x, ops::pow(c.b, base, splat(c, x, beta)))};
}

constexpr std::array kRows{
    Row{"Softmax", 1, 12, over_the_rest<ops::softmax>},
    Row{"Softmax", 13, kNewest, along_axis<ops::softmax>},
    Row{"LogSoftmax", 1, 12, over_the_rest<ops::log_softmax>},
    Row{"LogSoftmax", 13, kNewest, along_axis<ops::log_softmax>},
    Row{"BatchNormalization", 7, kNewest, batch_norm},
    Row{"LayerNormalization", 17, kNewest, layer_norm},
    Row{"RMSNormalization", 23, kNewest, rms_norm},
    Row{"InstanceNormalization", 6, kNewest, instance_norm},
    Row{"GroupNormalization", 18, kNewest, group_norm},
    Row{"LpNormalization", 1, kNewest, lp_normalization},
    Row{"MeanVarianceNormalization", 9, kNewest, mean_variance},
    Row{"LRN", 1, kNewest, local_response},
};

}  // namespace

std::span<const Row> normalization_rows() { return kRows; }

}  // namespace temper::onnx
