// Two-dimensional convolution and its two gradients, each the derivative of the others.
#include "ops/composites.h"
#include "ops/shape_rules.h"
#include "ops/window.h"

namespace temper::ops {

static Attributes attributes_of(const Conv2d& conv) {
  return {{"strides", conv.strides},
          {"low", conv.low},
          {"high", conv.high},
          {"dilations", conv.dilations},
          {"groups", integer(conv.groups)}};
}

static Conv2d conv_of(const Attributes& attributes) {
  return {attributes.get<Ints>("strides"), attributes.get<Ints>("low"), attributes.get<Ints>("high"),
          attributes.get<Ints>("dilations"), attributes.get<int64_t>("groups")};
}

Value conv2d(Builder& b, Value x, Value w, Value bias, const Conv2d& attributes) {
  return b.emit(conv2d_op, {x, w, bias}, attributes_of(attributes));
}

Value conv_input_grad(Builder& b, Value dy, Value w, const Shape& input_shape, const Conv2d& attributes) {
  Attributes all = attributes_of(attributes);
  all.set("input_shape", input_shape);
  return b.emit(conv_input_grad_op, {dy, w}, std::move(all));
}

Value conv_weight_grad(Builder& b, Value x, Value dy, const Shape& weight_shape, const Conv2d& attributes) {
  Attributes all = attributes_of(attributes);
  all.set("weight_shape", weight_shape);
  return b.emit(conv_weight_grad_op, {x, dy}, std::move(all));
}

// Shape of conv2d's result; fails unless x: [n, c, h, w] and w: [o, c / groups, kh, kw] belong together.
static Shape conv_shape(const InferContext& context, const Shape& x, const Shape& w) {
  const int64_t groups = context.attributes.get<int64_t>("groups");
  if (x.rank() != 4 || w.rank() != 4)
    fail(context, "input and weight must have rank 4, are ", to_string(x), " and ", to_string(w));
  for (int axis : {0, 1, 2, 3}) {
    if (!w[axis].is_static()) fail(context, "the weight's shape must be numbers, is ", to_string(w));
  }
  if (groups < 1 || !x[1].is_static() || x.size(1) % groups != 0 || x.size(1) / groups != w.size(1) ||
      w.size(0) % groups != 0) {
    fail(context, "weight ", to_string(w), " does not fit input ", to_string(x), " in ", groups, " groups");
  }
  return windowed_shape(context, require_window(context, spatial_sizes(w)), x, w[0]);
}

static DType common_dtype(const InferContext& context, std::string_view first, std::string_view second) {
  const Type& x = require_float(context, 0, first);
  const Type& y = require_float(context, 1, second);
  if (x.dtype != y.dtype) {
    fail(context, first, " and ", second, " must have one dtype, are ", to_string(x.dtype), " and ",
         to_string(y.dtype));
  }
  return x.dtype;
}

static std::vector<Type> infer_conv2d(const InferContext& context) {
  require_inputs(context, 2, 3);
  const DType dtype = common_dtype(context, "x", "w");
  const Shape& w = context.inputs[1].shape;
  const Shape shape = conv_shape(context, context.inputs[0].shape, w);
  if (has(context, 2)) require_type(context, 2, "bias", {dtype, {w[0]}});
  return {{dtype, shape}};
}

static std::vector<Type> infer_input_grad(const InferContext& context) {
  require_inputs(context, 2, 2);
  const DType dtype = common_dtype(context, "dy", "w");
  const Shape& input_shape = context.attributes.get<Shape>("input_shape");
  require_type(context, 0, "dy", {dtype, conv_shape(context, input_shape, context.inputs[1].shape)});
  require_static_picture(context, input_shape);
  return {{dtype, input_shape}};
}

static std::vector<Type> infer_weight_grad(const InferContext& context) {
  require_inputs(context, 2, 2);
  const DType dtype = common_dtype(context, "x", "dy");
  const Shape& weight_shape = context.attributes.get<Shape>("weight_shape");
  require_type(context, 1, "dy", {dtype, conv_shape(context, context.inputs[0].shape, weight_shape)});
  require_static_picture(context, context.inputs[0].shape);
  return {{result_attribute(context, dtype), weight_shape}};
}

static std::vector<Value> decompose_conv2d(Builder& b, const NodeView& view) {
  const Conv2d conv = conv_of(view.attributes());
  const ConvDims dims{.strides = conv.strides,
                      .low = conv.low,
                      .high = conv.high,
                      .x_dilation = {1, 1},
                      .w_dilation = conv.dilations,
                      .groups = conv.groups};
  const Value y = conv_general(b, view.inputs[0], view.inputs[1], dims);
  const Value bias = input(view.inputs, 2);
  return {bias ? add(b, y, along_axis(b, bias, 1, 4)) : y};
}

// [o, c / groups, kh, kw] -> [c, o / groups, kh, kw], turned by 180 degrees
static Value transposed_weight(Builder& b, Value w, int64_t groups) {
  const Shape& shape = b.shape(w);
  const Dim out = shape.size(0) / groups, in = shape[1];
  Value t = reshape(b, w, {groups, out, in, shape[2], shape[3]});
  t = transpose(b, t, {0, 2, 1, 3, 4});
  return reverse(b, reshape(b, t, {groups * in.size(), out, shape[2], shape[3]}), {2, 3});
}

// Every dy goes back to the inputs of its window: a convolution over dy spread out by the strides.
static std::vector<Value> decompose_input_grad(Builder& b, const NodeView& view) {
  const Conv2d conv = conv_of(view.attributes());
  const Value dy = view.inputs[0], w = view.inputs[1];
  const Shape& dx = view.node.outputs[0].shape;
  ConvDims dims{.strides = {1, 1},
                .low = {},
                .high = {},
                .x_dilation = conv.strides,
                .w_dilation = conv.dilations,
                .groups = conv.groups};
  for (int axis : {0, 1}) {
    const auto i = static_cast<size_t>(axis);
    const int64_t reach = conv.dilations[i] * (b.shape(w).size(axis + 2) - 1);
    const int64_t low = reach - conv.low[i];
    dims.low.push_back(low);
    const int64_t spread = conv.strides[i] * (b.shape(dy).size(axis + 2) - 1) + 1;
    dims.high.push_back(dx.size(axis + 2) + reach - low - spread);
  }
  return {conv_general(b, dy, transposed_weight(b, w, conv.groups), dims)};
}

// A convolution of x with dy as its window, channels and batch exchanged.
static std::vector<Value> decompose_weight_grad(Builder& b, const NodeView& view) {
  const Conv2d conv = conv_of(view.attributes());
  const Value x = view.inputs[0], dy = view.inputs[1];
  const Shape& dw = view.node.outputs[0].shape;
  ConvDims dims{.strides = conv.dilations,
                .low = conv.low,
                .high = {},
                .x_dilation = {1, 1},
                .w_dilation = conv.strides,
                .batch_groups = conv.groups};
  for (int axis : {0, 1}) {
    const auto i = static_cast<size_t>(axis);
    const int64_t reach = conv.dilations[i] * (dw.size(axis + 2) - 1);
    const int64_t spread = conv.strides[i] * (b.shape(dy).size(axis + 2) - 1) + 1;
    dims.high.push_back(spread + reach - b.shape(x).size(axis + 2) - conv.low[i]);
  }
  const auto operand = [&](Value value) {  // as wide as the result: it may be wider
    return transpose(b, convert(b, value, view.node.outputs[0].dtype), {1, 0, 2, 3});
  };
  const Value result = conv_general(b, operand(x), operand(dy), dims);
  return {transpose(b, result, {1, 0, 2, 3})};  // [c / groups, o, kh, kw] -> dw
}

static std::vector<Value> vjp_conv2d(Builder& b, const VjpContext& context) {
  const Conv2d conv = conv_of(context.node.attributes);
  const Value x = context.inputs[0], w = context.inputs[1], dy = context.cotangents[0];
  std::vector<Value> grads(context.inputs.size());
  if (needed(context, 0)) grads[0] = conv_input_grad(b, dy, w, b.shape(x), conv);
  if (needed(context, 1)) grads[1] = conv_weight_grad(b, x, dy, b.shape(w), conv);
  if (needed(context, 2)) grads[2] = reduce_sum(b, dy, {0, 2, 3});
  return grads;
}

static std::vector<Value> vjp_input_grad(Builder& b, const VjpContext& context) {
  const Conv2d conv = conv_of(context.node.attributes);
  const Value dy = context.inputs[0], w = context.inputs[1], ddx = context.cotangents[0];
  std::vector<Value> grads(2);
  if (needed(context, 0)) grads[0] = conv2d(b, ddx, w, {}, conv);
  if (needed(context, 1)) grads[1] = conv_weight_grad(b, ddx, dy, b.shape(w), conv);
  return grads;
}

static std::vector<Value> vjp_weight_grad(Builder& b, const VjpContext& context) {
  const Conv2d conv = conv_of(context.node.attributes);
  const Value x = context.inputs[0], dy = context.inputs[1],
              ddw = convert(b, context.cotangents[0], b.dtype(x));
  std::vector<Value> grads(2);
  if (needed(context, 0)) grads[0] = conv_input_grad(b, dy, ddw, b.shape(x), conv);
  if (needed(context, 1)) grads[1] = conv2d(b, x, ddw, {}, conv);
  return grads;
}

namespace {
struct Case {
  std::string_view name;
  Ints x, w, y;
  Conv2d conv;
  DType dtype = DType::f32;
};
}  // namespace

static const std::vector<Case>& cases() {
  static const std::vector<Case> kCases{
      {"3x3", {2, 3, 7, 6}, {4, 3, 3, 3}, {2, 4, 7, 6}, {.low = {1, 1}, .high = {1, 1}}},
      {"1x1", {2, 8, 5, 5}, {6, 8, 1, 1}, {2, 6, 5, 5}, {}},
      {"1x1 stride 2", {1, 4, 5, 6}, {3, 4, 1, 1}, {1, 3, 3, 3}, {.strides = {2, 2}}},
      {"stride 2, high padding only",
       {2, 3, 8, 9},
       {5, 3, 3, 3},
       {2, 5, 4, 4},
       {.strides = {2, 2}, .high = {1, 0}}},
      {"stride 2, rest unused", {1, 2, 8, 8}, {3, 2, 3, 3}, {1, 3, 3, 3}, {.strides = {2, 2}}},
      {"stride 3x1, dilation 2x1, asymmetric",
       {1, 2, 11, 5},
       {2, 2, 3, 2},
       {1, 2, 4, 6},
       {.strides = {3, 1}, .low = {0, 2}, .high = {3, 0}, .dilations = {2, 1}}},
      {"7x7 stride 2",
       {1, 3, 14, 14},
       {4, 3, 7, 7},
       {1, 4, 7, 7},
       {.strides = {2, 2}, .low = {3, 3}, .high = {3, 3}}},
      {"groups 2", {2, 4, 5, 5}, {6, 2, 3, 3}, {2, 6, 5, 5}, {.low = {1, 1}, .high = {1, 1}, .groups = 2}},
      {"depthwise", {2, 6, 7, 7}, {6, 1, 3, 3}, {2, 6, 7, 7}, {.low = {1, 1}, .high = {1, 1}, .groups = 6}},
      {"depthwise x2 stride 2",
       {1, 3, 8, 8},
       {6, 1, 3, 3},
       {1, 6, 4, 4},
       {.strides = {2, 2}, .low = {0, 0}, .high = {1, 1}, .groups = 3}},
      {"padding wider than the window",
       {1, 2, 3, 3},
       {2, 2, 2, 2},
       {1, 2, 8, 8},
       {.low = {3, 3}, .high = {3, 3}}},
      {"f16", {1, 4, 5, 5}, {3, 4, 3, 3}, {1, 3, 5, 5}, {.low = {1, 1}, .high = {1, 1}}, DType::f16},
      {"bf16 depthwise stride 2x1",
       {2, 21, 6, 5},
       {21, 1, 3, 3},
       {2, 21, 3, 5},
       {.strides = {2, 1}, .low = {1, 1}, .high = {1, 1}, .groups = 21},
       DType::bf16},
      {"bf16", {1, 4, 5, 5}, {3, 4, 3, 3}, {1, 3, 5, 5}, {.low = {1, 1}, .high = {1, 1}}, DType::bf16}};
  return kCases;
}

static std::vector<Sample> samples_conv2d() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    const Type x{c.dtype, Shape::of(c.x)}, w{c.dtype, Shape::of(c.w)};
    samples.push_back({std::string(c.name), {x, w, {c.dtype, {c.w[0]}}}, attributes_of(c.conv)});
  }
  const Case& plain = cases().front();
  samples.push_back({"no bias",
                     {{plain.dtype, Shape::of(plain.x)}, {plain.dtype, Shape::of(plain.w)}},
                     attributes_of(plain.conv)});
  return samples;
}

static std::vector<Sample> samples_input_grad() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    Attributes attributes = attributes_of(c.conv);
    attributes.set("input_shape", Shape::of(c.x));
    samples.push_back(
        {std::string(c.name), {{c.dtype, Shape::of(c.y)}, {c.dtype, Shape::of(c.w)}}, attributes});
  }
  return samples;
}

static std::vector<Sample> samples_weight_grad() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    Attributes attributes = attributes_of(c.conv);
    attributes.set("weight_shape", Shape::of(c.w));
    samples.push_back(
        {std::string(c.name), {{c.dtype, Shape::of(c.x)}, {c.dtype, Shape::of(c.y)}}, attributes});
  }
  Sample widening = samples.back();  // of bf16
  widening.name += " to f32";
  widening.attributes.set("result", DType::f32);
  samples.push_back(std::move(widening));
  return samples;
}

}  // namespace temper::ops

namespace temper {

const Op conv2d_op{.name = "conv2d",
                   .primitive = false,
                   .summary = "y[n, o, i, j] = bias[o] + sum x[n, c, i s + k d - low, ...] w[o, c, k, ...]",
                   .infer = ops::infer_conv2d,
                   .decompose = ops::decompose_conv2d,
                   .vjp = ops::vjp_conv2d,
                   .samples = ops::samples_conv2d};

const Op conv_input_grad_op{.name = "conv_input_grad",
                            .primitive = false,
                            .summary = "gradient of conv2d's x from dy and w",
                            .infer = ops::infer_input_grad,
                            .decompose = ops::decompose_input_grad,
                            .vjp = ops::vjp_input_grad,
                            .samples = ops::samples_input_grad};

const Op conv_weight_grad_op{.name = "conv_weight_grad",
                             .primitive = false,
                             .summary = "gradient of conv2d's w from x and dy; `result` may widen its dtype",
                             .infer = ops::infer_weight_grad,
                             .decompose = ops::decompose_weight_grad,
                             .vjp = ops::vjp_weight_grad,
                             .samples = ops::samples_weight_grad};

}  // namespace temper
