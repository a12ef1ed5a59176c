// Max and average pooling over height and width, and their gradients.
#include <algorithm>
#include <limits>

#include "ops/composites.h"
#include "ops/window.h"

namespace temper::ops {

static Attributes attributes_of(const Pool2d& pool) {
  return {{"window", pool.window},
          {"strides", pool.strides},
          {"low", pool.low},
          {"high", pool.high},
          {"dilations", pool.dilations}};
}

static Pool2d pool_of(const Attributes& attributes) {
  return {attributes.get<Ints>("window"), attributes.get<Ints>("strides"), attributes.get<Ints>("low"),
          attributes.get<Ints>("high"), attributes.get<Ints>("dilations")};
}

Value max_pool(Builder& b, Value x, const Pool2d& attributes) {
  return b.emit(max_pool_op, {x}, attributes_of(attributes));
}

Value max_pool_grad(Builder& b, Value x, Value dy, const Pool2d& attributes) {
  return b.emit(max_pool_grad_op, {x, dy}, attributes_of(attributes));
}

Value avg_pool(Builder& b, Value x, const Pool2d& attributes, bool count_padding) {
  Attributes all = attributes_of(attributes);
  all.set("count_padding", flag(count_padding));
  return b.emit(avg_pool_op, {x}, std::move(all));
}

Value avg_pool_grad(Builder& b, Value dy, const Shape& input_shape, const Pool2d& attributes,
                    bool count_padding) {
  Attributes all = attributes_of(attributes);
  all.set("count_padding", flag(count_padding));
  all.set("input_shape", input_shape);
  return b.emit(avg_pool_grad_op, {dy}, std::move(all));
}

static Shape pooled_shape(const InferContext& context, const Shape& x) {
  if (x.rank() != 4) fail(context, "the input must have rank 4, is ", to_string(x));
  const Window window = require_window(context, context.attributes.get<Ints>("window"));
  return windowed_shape(context, window, x, x[1]);
}

static std::vector<Type> infer_max_pool(const InferContext& context) {
  require_inputs(context, 1, 1);
  const Type& x = require(context, 0, "x");
  return {{x.dtype, pooled_shape(context, x.shape)}};
}

static std::vector<Type> infer_max_pool_grad(const InferContext& context) {
  require_inputs(context, 2, 2);
  const Type& x = require_float(context, 0, "x");
  const Shape y = pooled_shape(context, x.shape);
  require_static_picture(context, x.shape);
  require_type(context, 1, "dy", {x.dtype, y});
  return {x};
}

static std::vector<Type> infer_avg_pool(const InferContext& context) {
  require_inputs(context, 1, 1);
  const Type& x = require_float(context, 0, "x");
  return {{x.dtype, pooled_shape(context, x.shape)}};
}

static std::vector<Type> infer_avg_pool_grad(const InferContext& context) {
  require_inputs(context, 1, 1);
  const Type& dy = require_float(context, 0, "dy");
  const Shape& x = context.attributes.get<Shape>("input_shape");
  require_type(context, 0, "dy", {dy.dtype, pooled_shape(context, x)});
  require_static_picture(context, x);
  return {{dy.dtype, x}};
}

// reduce_window of all four axes, of which only the last two have a window.
static Value slide(Builder& b, Value x, const Pool2d& pool, std::string_view kind) {
  const auto last_two = [](int64_t rest, const Ints& pair) { return Ints{rest, rest, pair[0], pair[1]}; };
  return reduce_window(b, x, last_two(1, pool.window), last_two(1, pool.strides), last_two(0, pool.low),
                       last_two(0, pool.high), last_two(1, pool.dilations), kind);
}

static std::vector<Value> decompose_max_pool(Builder& b, const NodeView& view) {
  return {slide(b, view.inputs[0], pool_of(view.attributes()), "max")};
}

// For each window and each place in it, the flat index into the padded image.
static Tensor window_indices(const Pool2d& pool, const Ints& counts, int64_t padded_width) {
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < counts[0]; ++i) {
    for (int64_t j = 0; j < counts[1]; ++j) {
      for (int64_t k = 0; k < pool.window[0]; ++k) {
        for (int64_t l = 0; l < pool.window[1]; ++l) {
          const int64_t row = i * pool.strides[0] + k * pool.dilations[0];
          indices.push_back(row * padded_width + j * pool.strides[1] + l * pool.dilations[1]);
        }
      }
    }
  }
  const Shape shape{counts[0] * counts[1], pool.window[0] * pool.window[1]};
  return Tensor::from<int64_t>(shape, indices);
}

// x in floats with low and high rows and columns of -infinity, flattened: [n, c, height * width]
static Value padded_image(Builder& b, Value x, const Pool2d& pool) {
  const Value lowest = b.scalar(b.dtype(x), -std::numeric_limits<double>::infinity());
  const Value padded =
      pad(b, x, lowest, {0, 0, pool.low[0], pool.low[1]}, {0, 0, pool.high[0], pool.high[1]}, {0, 0, 0, 0});
  const Shape& shape = b.shape(padded);
  return reshape(b, padded, {shape[0], shape[1], shape.size(2) * shape.size(3)});
}

// Adds each dy to the place of its window's first maximum: overlapping windows add up.
static std::vector<Value> decompose_max_pool_grad(Builder& b, const NodeView& view) {
  const Pool2d pool = pool_of(view.attributes());
  const Value x = view.inputs[0], dy = view.inputs[1];
  const Shape& shape = b.shape(x);
  const Ints counts = spatial_sizes(b.shape(dy));
  const int64_t height = shape.size(2) + pool.low[0] + pool.high[0],
                width = shape.size(3) + pool.low[1] + pool.high[1];
  const int64_t windows = counts[0] * counts[1];
  const Shape per_window{shape[0], shape[1], windows};

  const Value indices = b.constant(window_indices(pool, counts, width));  // [windows, places]
  Value patches = take(b, padded_image(b, x, pool), indices, 2);          // [n, c, windows, places]
  const Value place = arg_reduce(b, patches, 3, "max", DType::i64);       // [n, c, windows]
  // The chosen place's flat index: rows and columns of the place, plus the first place of its window.
  const Value columns = b.scalar(DType::i64, static_cast<double>(pool.window[1]));
  const Value row = mul(b, div(b, place, columns), static_cast<double>(pool.dilations[0] * width));
  const Value column = mul(b, rem(b, place, columns), static_cast<double>(pool.dilations[1]));
  const Value first = reshape(b, slice(b, indices, {0, 0}, {windows, 1}, {1, 1}), {windows});
  const Value chosen = add(b, add(b, row, column), first);

  const auto as_part = [&](Value index) { return reshape(b, index, {shape[0], shape[1], windows, 1}); };
  const Value where = concat(b,
                             {as_part(iota(b, DType::i64, per_window, 0)),
                              as_part(iota(b, DType::i64, per_window, 1)), as_part(chosen)},
                             3);
  const ScatterDims dims{.update_window_dims = {},
                         .inserted_window_dims = {0, 1, 2},
                         .scatter_dims_to_operand_dims = {0, 1, 2},
                         .index_vector_dim = 3};
  const Value empty = zeros(b, {b.dtype(dy), {shape[0], shape[1], height * width}});
  const Value flat = scatter(b, empty, where, reshape(b, dy, per_window), dims, "add");
  const Value image = reshape(b, flat, {shape[0], shape[1], height, width});
  return {slice(b, image, {0, 0, pool.low[0], pool.low[1]},
                {kEnd, kEnd, pool.low[0] + shape.size(2), pool.low[1] + shape.size(3)}, {1, 1, 1, 1})};
}

// How many entries of the image each window sees, [1, 1, rows, columns], or the window's size.
static Value divisor(Builder& b, const Pool2d& pool, const Shape& image, bool count_padding, DType dtype) {
  const bool padded =
      std::ranges::any_of(pool.low, std::identity{}) || std::ranges::any_of(pool.high, std::identity{});
  if (count_padding || !padded) return b.scalar(dtype, static_cast<double>(pool.window[0] * pool.window[1]));
  const Value ones = full(b, {dtype, {1, 1, image[2], image[3]}}, 1);
  return max(b, slide(b, ones, pool, "sum"), 1);  // a window of padding alone gives 0 / 1
}

static std::vector<Value> decompose_avg_pool(Builder& b, const NodeView& view) {
  const Pool2d pool = pool_of(view.attributes());
  const Value x = widen(b, view.inputs[0]);
  const Value sum = slide(b, x, pool, "sum");
  const bool count_padding = view.attributes().get<bool>("count_padding");
  const Value mean = div(b, sum, divisor(b, pool, b.shape(x), count_padding, b.dtype(x)));
  return {convert(b, mean, b.dtype(view.inputs[0]))};
}

// Each input gathers the shares of the windows that saw it: dy spread out by the strides under a window of
// ones.
static std::vector<Value> decompose_avg_pool_grad(Builder& b, const NodeView& view) {
  const Pool2d pool = pool_of(view.attributes());
  const Shape& dx = view.node.outputs[0].shape;
  Value dy = widen(b, view.inputs[0]);
  const DType dtype = b.dtype(dy);
  const bool count_padding = view.attributes().get<bool>("count_padding");
  dy = div(b, dy, divisor(b, pool, dx, count_padding, dtype));
  Ints low{0, 0}, high{0, 0}, interior{0, 0};
  for (int axis : {0, 1}) {
    const auto i = static_cast<size_t>(axis);
    const int64_t reach = pool.dilations[i] * (pool.window[i] - 1);
    low.push_back(reach - pool.low[i]);
    interior.push_back(pool.strides[i] - 1);
    const int64_t spread = pool.strides[i] * (b.shape(dy).size(axis + 2) - 1) + 1;
    high.push_back(dx.size(axis + 2) + reach - low.back() - spread);
  }
  const Value spread = pad(b, dy, b.scalar(dtype, 0), low, high, interior);
  const Value sum = slide(b, spread, {.window = pool.window, .dilations = pool.dilations}, "sum");
  return {convert(b, sum, view.node.outputs[0].dtype)};
}

static std::vector<Value> vjp_max_pool(Builder& b, const VjpContext& context) {
  return {max_pool_grad(b, context.inputs[0], context.cotangents[0], pool_of(context.node.attributes))};
}

static std::vector<Value> vjp_avg_pool(Builder& b, const VjpContext& context) {
  const Attributes& attributes = context.node.attributes;
  return {avg_pool_grad(b, context.cotangents[0], b.shape(context.inputs[0]), pool_of(attributes),
                        attributes.get<bool>("count_padding"))};
}

static std::vector<Value> vjp_avg_pool_grad(Builder& b, const VjpContext& context) {
  const Attributes& attributes = context.node.attributes;
  return {avg_pool(b, context.cotangents[0], pool_of(attributes), attributes.get<bool>("count_padding"))};
}

namespace {
struct Case {
  std::string_view name;
  Ints x, y;
  Pool2d pool;
  DType dtype = DType::f32;
};
}  // namespace

static const std::vector<Case>& cases() {
  static const std::vector<Case> kCases{
      {"2x2", {2, 3, 6, 8}, {2, 3, 3, 4}, {.window = {2, 2}, .strides = {2, 2}}},
      {"3x3 stride 2, overlapping",
       {2, 2, 7, 9},
       {2, 2, 4, 5},
       {.window = {3, 3}, .strides = {2, 2}, .low = {1, 1}, .high = {1, 1}}},
      {"3x3 stride 1", {1, 3, 5, 5}, {1, 3, 5, 5}, {.window = {3, 3}, .low = {1, 1}, .high = {1, 1}}},
      {"2x3, high padding, rest unused",
       {1, 2, 6, 8},
       {1, 2, 2, 4},
       {.window = {2, 3}, .strides = {3, 2}, .high = {0, 1}}},
      {"dilated", {1, 2, 7, 6}, {1, 2, 3, 4}, {.window = {3, 2}, .dilations = {2, 2}}},
      {"global", {2, 5, 7, 7}, {2, 5, 1, 1}, {.window = {7, 7}}},
      {"f16", {1, 4, 6, 6}, {1, 4, 3, 3}, {.window = {2, 2}, .strides = {2, 2}}, DType::f16},
      {"bf16", {1, 4, 6, 6}, {1, 4, 3, 3}, {.window = {2, 2}, .strides = {2, 2}}, DType::bf16}};
  return kCases;
}

// No ties: at a tie the derivative does not exist.
static const std::vector<Fill> kDistinct{{.kind = Fill::distinct}, {}};

static std::vector<Sample> samples_max_pool() {
  std::vector<Sample> samples;
  for (const Case& c : cases())
    samples.push_back({std::string(c.name), {{c.dtype, Shape::of(c.x)}}, attributes_of(c.pool), kDistinct});
  samples.push_back({"i8",
                     {{DType::i8, {1, 2, 4, 4}}},
                     attributes_of({.window = {2, 2}, .low = {1, 0}}),
                     {{.kind = Fill::integers, .low = -128, .high = 128}}});
  return samples;
}

static std::vector<Sample> samples_max_pool_grad() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    samples.push_back({std::string(c.name),
                       {{c.dtype, Shape::of(c.x)}, {c.dtype, Shape::of(c.y)}},
                       attributes_of(c.pool),
                       kDistinct});
  }
  return samples;
}

static std::vector<Sample> samples_avg(bool gradient) {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    for (bool count_padding : {false, true}) {
      Attributes attributes = attributes_of(c.pool);
      attributes.set("count_padding", flag(count_padding));
      if (gradient) attributes.set("input_shape", Shape::of(c.x));
      samples.push_back({temper::concat(c.name, count_padding ? ", padding counts" : ""),
                         {{c.dtype, Shape::of(gradient ? c.y : c.x)}},
                         attributes});
    }
  }
  return samples;
}

static std::vector<Sample> samples_avg_pool() { return samples_avg(false); }
static std::vector<Sample> samples_avg_pool_grad() { return samples_avg(true); }

}  // namespace temper::ops

namespace temper {

const Op max_pool_op{.name = "max_pool",
                     .primitive = false,
                     .summary = "the largest entry of each window; padding never wins",
                     .infer = ops::infer_max_pool,
                     .decompose = ops::decompose_max_pool,
                     .vjp = ops::vjp_max_pool,
                     .samples = ops::samples_max_pool};

const Op max_pool_grad_op{
    .name = "max_pool_grad",
    .primitive = false,
    .summary = "dy at each window's first maximum in row-major order, summed over windows",
    .infer = ops::infer_max_pool_grad,
    .decompose = ops::decompose_max_pool_grad,
    .samples = ops::samples_max_pool_grad};

const Op avg_pool_op{
    .name = "avg_pool",
    .primitive = false,
    .summary = "the mean of each window, of its entries inside the image unless padding counts",
    .infer = ops::infer_avg_pool,
    .decompose = ops::decompose_avg_pool,
    .vjp = ops::vjp_avg_pool,
    .samples = ops::samples_avg_pool};

const Op avg_pool_grad_op{.name = "avg_pool_grad",
                          .primitive = false,
                          .summary = "gradient of avg_pool's x from dy",
                          .infer = ops::infer_avg_pool_grad,
                          .decompose = ops::decompose_avg_pool_grad,
                          .vjp = ops::vjp_avg_pool_grad,
                          .samples = ops::samples_avg_pool_grad};

}  // namespace temper
