// Sliding windows folded into one element each.
#include <algorithm>

#include "ops/reduction.h"

namespace temper {
namespace {

struct Window {
  Ints size, strides, low, high, dilations;
};

Window window_of(const Attributes& attributes) {
  return {attributes.get<Ints>("window"), attributes.get<Ints>("strides"), attributes.get<Ints>("low"),
          attributes.get<Ints>("high"), attributes.get<Ints>("dilations")};
}

std::vector<Type> infer_reduce_window(const InferContext& c) {
  expect_inputs(c, 1);
  infer_reduction(c);
  const Shape& x = c.inputs[0].shape;
  sizes_attribute(c, "window", x.rank(), 1);
  sizes_attribute(c, "strides", x.rank(), 1);
  sizes_attribute(c, "low", x.rank(), 0);
  sizes_attribute(c, "high", x.rank(), 0);
  sizes_attribute(c, "dilations", x.rank(), 1);
  const Window window = window_of(c.attributes);
  Shape shape;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const auto i = static_cast<size_t>(axis);
    shape.push_back(window_positions(
        c, x[axis],
        {window.size[i], window.strides[i], window.low[i], window.high[i], 1, window.dilations[i]}));
  }
  return {{c.inputs[0].dtype, shape}};
}

std::vector<Array> evaluate_reduce_window(const EvaluateContext& c) {
  const Array& x = *c.inputs[0];
  const Window window = window_of(c.node.attributes);
  const Reduction& kind = reduction(c.node.attributes.get<std::string>("kind"));
  const Ints sizes = x.type.shape.sizes(), strides = row_major_strides(sizes);
  Array y = neutral_array(kind, c.outputs[0]);
  int64_t target = 0;
  Ints place(sizes.size());
  for_each_index(y.type.shape.sizes(), [&](const Ints& index) {
    for_each_index(window.size, [&](const Ints& element) {
      for (size_t i = 0; i < place.size(); ++i)
        place[i] = index[i] * window.strides[i] - window.low[i] + element[i] * window.dilations[i];
      if (inside(place, sizes)) fold_element(kind, x, offset(place, strides), y, target);
    });
    ++target;
  });
  return {std::move(y)};
}

// Where element k of every window is read, as a strided slice of the padded x, and the way back.
class Views {
 public:
  Views(Builder& b, Value x, const Window& window, const Reduction& kind, const Shape& result)
      : b_(b), window_(window), shape_(b.shape(x)), result_(result) {
    padded_ =
        ops::pad(b, x, neutral(b, kind, b.dtype(x)), window.low, window.high, Ints(window.low.size(), 0));
    for_each_index(window.size, [&](const Ints& element) { elements_.push_back(element); });
  }

  size_t size() const { return elements_.size(); }

  Value view(size_t k) const {
    Ints starts, limits;
    for (size_t i = 0; i < window_.size.size(); ++i) {
      starts.push_back(elements_[k][i] * window_.dilations[i]);
      const Dim& dim = result_[static_cast<int>(i)];
      limits.push_back(dim.is_static() ? starts[i] + dilated(dim.size(), window_.strides[i]) : ops::kEnd);
    }
    return ops::slice(b_, padded_, starts, limits, window_.strides);
  }

  // Gradients of one view put where they belong in x.
  Value back(size_t k, Value dy) const {
    Ints low, high, interior;
    for (size_t i = 0; i < window_.size.size(); ++i) {
      const auto axis = static_cast<int>(i);
      low.push_back(elements_[k][i] * window_.dilations[i] - window_.low[i]);
      interior.push_back(window_.strides[i] - 1);
      high.push_back(shape_[axis].is_static()
                         ? shape_.size(axis) - low[i] - dilated(result_.size(axis), window_.strides[i])
                         : interior[i] - low[i]);
    }
    return ops::pad(b_, dy, b_.scalar(b_.dtype(dy), 0), low, high, interior);
  }

 private:
  Builder& b_;
  Window window_;
  Shape shape_, result_;
  Value padded_;
  std::vector<Ints> elements_;
};

// dx[i] = the sum of every dy whose window holds i: dy spread by the strides, under the same window.
Value gradient_of_sum(Builder& b, const Window& window, const Shape& in, Value dy) {
  const Shape out = b.shape(dy);
  Window back = window;
  Ints low, high, interior;
  for (size_t i = 0; i < window.size.size(); ++i) {
    const auto axis = static_cast<int>(i);
    const int64_t gap = window.strides[i] - 1;
    const int64_t before = dilated(window.size[i], window.dilations[i]) - 1 - window.low[i];
    // what the spread dy lacks of x: symbolic, x is a multiple, so that it lacks the last gap
    const int64_t lacks =
        in[axis].is_static() ? in.size(axis) - dilated(out.size(axis), window.strides[i]) : gap;
    const int64_t after = window.low[i] + lacks;
    low.push_back(std::min<int64_t>(before, 0));
    high.push_back(in[axis].is_static() ? std::min<int64_t>(after, 0) : gap);
    interior.push_back(gap);
    back.low[i] = before - low[i], back.high[i] = after - high[i], back.strides[i] = 1;
  }
  const Value spread = ops::pad(b, dy, b.scalar(b.dtype(dy), 0), low, high, interior);
  return ops::reduce_window(b, spread, back.size, back.strides, back.low, back.high, back.dilations, "sum");
}

// The first of equals in row-major order has the gradient.
Value gradient_of_extreme(Builder& b, const Views& views, Value y, Value dy) {
  const Value zero = b.scalar(b.dtype(dy), 0);
  Value left = dy, dx;
  for (size_t k = 0; k < views.size(); ++k) {
    const Value best = ops::compare(b, views.view(k), y, "eq");
    const Value part = views.back(k, ops::select(b, best, left, zero));
    dx = dx ? ops::add(b, dx, part) : part;
    left = ops::select(b, best, zero, left);
  }
  return dx;
}

Value gradient_of_product(Builder& b, const Views& views, Value dy) {
  Value zeros = is_zero(b, views.view(0)), rest = ones_for_zeros(b, views.view(0)), dx;
  for (size_t k = 1; k < views.size(); ++k) {
    zeros = ops::add(b, zeros, is_zero(b, views.view(k)));
    rest = ops::mul(b, rest, ones_for_zeros(b, views.view(k)));
  }
  for (size_t k = 0; k < views.size(); ++k) {
    const Value part = views.back(k, ops::mul(b, dy, product_slope(b, views.view(k), zeros, rest)));
    dx = dx ? ops::add(b, dx, part) : part;
  }
  return dx;
}

std::vector<Value> vjp_reduce_window(Builder& b, const VjpContext& c) {
  const Reduction& kind = reduction(c.node.attributes.get<std::string>("kind"));
  const Window window = window_of(c.node.attributes);
  if (kind.kind == "sum") return {gradient_of_sum(b, window, b.shape(c.inputs[0]), c.cotangents[0])};
  const Views views(b, c.inputs[0], window, kind, b.shape(c.outputs[0]));
  if (kind.kind == "prod") return {gradient_of_product(b, views, c.cotangents[0])};
  return {gradient_of_extreme(b, views, c.outputs[0], c.cotangents[0])};
}

Attributes attributes_of(const Window& window, std::string_view kind) {
  return {{"dilations", window.dilations}, {"high", window.high},  {"kind", word(kind)}, {"low", window.low},
          {"strides", window.strides},     {"window", window.size}};
}

Sample window_sample(std::string_view name, std::string_view kind, const Type& type, const Window& window) {
  return {.name = concat(kind, " ", name),
          .inputs = {type},
          .attributes = attributes_of(window, kind),
          .fills = {is_float(type.dtype) ? Fill{} : integers(-9, 9)}};
}

std::vector<Sample> reduce_window_samples() {
  std::vector<Sample> samples;
  const Window two{{2}, {2}, {0}, {0}, {1}},
      pool{{1, 1, 3, 3}, {1, 1, 2, 2}, {0, 0, 1, 1}, {0, 0, 1, 0}, {1, 1, 1, 1}};
  for (const char* kind : {"sum", "prod", "max", "min"}) {
    samples.push_back(window_sample("pairs", kind, f32({8}), two));
    samples.push_back(window_sample("overlapping", kind, f32({9}), {{3}, {1}, {1}, {1}, {1}}));
    samples.push_back(window_sample("pool", kind, f32({2, 2, 6, 7}), pool));
    samples.push_back(window_sample("dilated", kind, f32({9, 8}), {{2, 3}, {2, 1}, {0, 2}, {1, 0}, {3, 2}}));
    samples.push_back(window_sample("gaps", kind, f32({11}), {{2}, {4}, {0}, {0}, {1}}));
    samples.push_back(window_sample("scalar", kind, f32({}), {}));
    for (DType dtype : {DType::f64, DType::f16, DType::bf16, DType::i8, DType::u8, DType::i64})
      samples.push_back(window_sample(to_string(dtype), kind, {dtype, {8}}, two));
  }
  samples.push_back(window_sample("no images", "max", f32({0, 1, 6, 7}), pool));
  samples.push_back(window_sample("boolean", "and", boolean({8}), two));
  samples.push_back(window_sample("integers", "or", i32({8}), two));
  samples.push_back(window_sample("ties", "max", f32({2, 2, 6, 7}), pool));
  samples.back().fills = {integers(0, 3)};
  samples.back().smooth = false;
  samples.push_back(window_sample("with zeros", "prod", f32({12}), {{3}, {1}, {1}, {1}, {1}}));
  samples.back().fills = {integers(-1, 3)};
  return samples;
}

}  // namespace

const Op reduce_window_op{
    .name = "reduce_window",
    .summary =
        "y = windows of x folded by `kind`: extent `window`, `strides`, padding `low` and `high` "
        "(neutral), `dilations`; one entry per axis",
    .infer = infer_reduce_window,
    .evaluate = evaluate_reduce_window,
    .vjp = vjp_reduce_window,
    .samples = reduce_window_samples};

namespace ops {

Value reduce_window(Builder& b, Value x, const Ints& window, const Ints& strides, const Ints& low,
                    const Ints& high, const Ints& dilations, std::string_view kind) {
  return b.emit(reduce_window_op, {x}, attributes_of({window, strides, low, high, dilations}, kind));
}

}  // namespace ops
}  // namespace temper
