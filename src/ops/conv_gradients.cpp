// Both gradients of a convolution are convolutions; and the samples that check them.
#include "ops/conv_general.h"

namespace temper {
namespace {

int64_t difference(const Dim& a, int64_t a_dilation, const Dim& b, int64_t b_dilation) {
  if (const std::optional<int64_t> known = spread_difference(a, a_dilation, b, b_dilation)) return *known;
  throw Error(ErrorKind::unsupported,
              concat("no gradient through a convolution along the symbolic dimension ", to_string(a),
                     ": fix it with --shape"));
}

Shape spatial(const Shape& shape) { return Shape(std::vector<Dim>(shape.begin() + 2, shape.end())); }

Ints window_sizes(const Shape& w) {
  const Shape window = spatial(w);
  if (!window.is_static())
    throw Error(ErrorKind::unsupported,
                "no gradient of a gradient of a convolution with symbolic sizes: fix them with --shape");
  return window.sizes();
}

Value swap_first_axes(Builder& b, Value x) {
  Ints permutation = range(0, b.shape(x).rank());
  std::swap(permutation[0], permutation[1]);
  return ops::transpose(b, x, permutation);
}

// [groups * a, b, ...] -> [groups * b, a, ...]
Value regroup(Builder& b, Value x, int64_t groups) {
  const Shape from = b.shape(x);
  if (groups == 1) return swap_first_axes(b, x);
  Shape split{groups, *quotient(from[0], groups)},
      joined{*product(std::vector<Dim>{groups, from[1]}), split[1]};
  Ints permutation{0, 2, 1};
  for (int i = 1; i < from.rank(); ++i) split.push_back(from[i]);
  for (int i = 2; i < from.rank(); ++i) {
    joined.push_back(from[i]);
    permutation.push_back(i + 1);
  }
  return ops::reshape(b, ops::transpose(b, ops::reshape(b, x, split), permutation), joined);
}

// [n, groups * c, ...] -> [groups * n, c, ...]
Value features_to_batch(Builder& b, Value x, int64_t groups) {
  const Shape from = b.shape(x);
  if (groups == 1) return x;
  Shape split{from[0], groups, *quotient(from[1], groups)},
      joined{*product(std::vector<Dim>{groups, from[0]}), split[2]};
  Ints permutation{1, 0, 2};
  for (int i = 2; i < from.rank(); ++i) {
    split.push_back(from[i]);
    joined.push_back(from[i]);
    permutation.push_back(i + 1);
  }
  return ops::reshape(b, ops::transpose(b, ops::reshape(b, x, split), permutation), joined);
}

// x was spread by x_dilation and read at steps of strides: dy is spread by the strides and read at steps of
// x_dilation.
Value gradient_of_x(Builder& b, const ops::ConvDims& dims, Value x, Value w, Value dy) {
  const Shape in = spatial(b.shape(x)), out = spatial(b.shape(dy));
  const Ints window = window_sizes(b.shape(w));
  ops::ConvDims back{
      dims.x_dilation, {}, {}, dims.strides, dims.w_dilation, dims.groups * dims.batch_groups, 1};
  for (int i = 0; i < in.rank(); ++i) {
    const auto axis = static_cast<size_t>(i);
    const int64_t reach = dilated(window[axis], dims.w_dilation[axis]);
    back.low.push_back(reach - 1 - dims.low[axis]);
    back.high.push_back(difference(in[i], dims.x_dilation[axis], out[i], dims.strides[axis]) +
                        dims.low[axis]);
  }
  const Value turned =
      ops::reverse(b, regroup(b, w, dims.groups * dims.batch_groups), range(2, in.rank() + 2));
  return features_to_batch(b, ops::conv_general(b, dy, turned, back), dims.batch_groups);
}

// The window slides over x by w_dilation, dy is the filter, spread by the strides.
Value gradient_of_w(Builder& b, const ops::ConvDims& dims, Value x, Value w, Value dy) {
  const Shape in = spatial(b.shape(x)), out = spatial(b.shape(dy));
  const Ints window = window_sizes(b.shape(w));
  ops::ConvDims back{dims.w_dilation, dims.low,          {},         dims.x_dilation,
                     dims.strides,    dims.batch_groups, dims.groups};
  for (int i = 0; i < in.rank(); ++i) {
    const auto axis = static_cast<size_t>(i);
    const int64_t reach = dilated(window[axis], dims.w_dilation[axis]);
    back.high.push_back(difference(out[i], dims.strides[axis], in[i], dims.x_dilation[axis]) + reach - 1 -
                        dims.low[axis]);
  }
  return swap_first_axes(b, ops::conv_general(b, swap_first_axes(b, x), swap_first_axes(b, dy), back));
}

Sample conv_sample(std::string_view name, const Type& x, const Type& w, const ops::ConvDims& dims) {
  return {.name = std::string(name),
          .inputs = {x, w},
          .attributes = {{"batch_groups", integer(dims.batch_groups)},
                         {"groups", integer(dims.groups)},
                         {"high", dims.high},
                         {"low", dims.low},
                         {"strides", dims.strides},
                         {"w_dilation", dims.w_dilation},
                         {"x_dilation", dims.x_dilation}},
          .fills = {is_float(x.dtype) ? Fill{} : integers(-9, 9)}};
}

}  // namespace

std::vector<Value> vjp_conv(Builder& b, const VjpContext& c) {
  const ops::ConvDims dims = conv_dims(c.node.attributes);
  const Value x = c.inputs[0], w = c.inputs[1], dy = c.cotangents[0];
  return {ops::needed(c, 0) ? gradient_of_x(b, dims, x, w, dy) : Value{},
          ops::needed(c, 1) ? gradient_of_w(b, dims, x, w, dy) : Value{}};
}

std::vector<Sample> conv_samples() {
  const ops::ConvDims plain{{1, 1}, {0, 0}, {0, 0}, {1, 1}, {1, 1}};
  const ops::ConvDims same{{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};
  const ops::ConvDims everything{{2, 3}, {1, 2}, {2, 0}, {2, 1}, {1, 2}};
  const auto grouped = [](ops::ConvDims dims, int64_t groups, int64_t batch_groups) {
    dims.groups = groups, dims.batch_groups = batch_groups;
    return dims;
  };
  return {
      conv_sample("plain", f32({2, 3, 5, 6}), f32({4, 3, 3, 3}), plain),
      conv_sample("1x1", f32({2, 3, 4, 4}), f32({5, 3, 1, 1}), plain),
      conv_sample("same", f32({2, 3, 5, 5}), f32({4, 3, 3, 3}), same),
      conv_sample("strided", f32({2, 3, 7, 8}), f32({4, 3, 3, 3}), {{2, 2}, {1, 0}, {1, 1}, {1, 1}, {1, 1}}),
      conv_sample("a stride that skips the end", f32({1, 2, 8, 9}), f32({3, 2, 2, 3}),
                  {{3, 4}, {0, 0}, {0, 0}, {1, 1}, {1, 1}}),
      conv_sample("dilated window", f32({1, 2, 8, 8}), f32({3, 2, 3, 2}),
                  {{1, 1}, {0, 1}, {2, 1}, {1, 1}, {2, 3}}),
      conv_sample("dilated input", f32({1, 2, 4, 3}), f32({3, 2, 3, 3}),
                  {{1, 1}, {2, 2}, {2, 1}, {2, 3}, {1, 1}}),
      conv_sample("everything", f32({2, 2, 6, 7}), f32({3, 2, 2, 3}), everything),
      conv_sample("negative padding", f32({1, 2, 7, 7}), f32({3, 2, 3, 3}),
                  {{1, 1}, {-1, 1}, {1, -2}, {1, 1}, {1, 1}}),
      conv_sample("grouped", f32({2, 6, 5, 5}), f32({4, 3, 3, 3}), grouped(same, 2, 1)),
      conv_sample("depthwise", f32({2, 4, 6, 6}), f32({4, 1, 3, 3}), grouped(same, 4, 1)),
      conv_sample("depthwise with multiplier", f32({2, 3, 6, 6}), f32({6, 1, 3, 3}),
                  grouped({{2, 2}, {0, 0}, {1, 1}, {1, 1}, {1, 1}}, 3, 1)),
      conv_sample("grouped everything", f32({2, 4, 6, 7}), f32({6, 2, 2, 3}), grouped(everything, 2, 1)),
      conv_sample("batch groups", f32({4, 3, 5, 5}), f32({6, 3, 3, 3}), grouped(same, 1, 2)),
      conv_sample("batch groups everything", f32({4, 2, 6, 7}), f32({4, 2, 2, 3}), grouped(everything, 1, 2)),
      conv_sample("1 axis", f32({2, 3, 9}), f32({4, 3, 3}), {{2}, {1}, {1}, {1}, {1}}),
      conv_sample("3 axes", f32({1, 2, 4, 5, 3}), f32({3, 2, 2, 3, 2}),
                  {{1, 2, 1}, {1, 0, 0}, {0, 1, 1}, {1, 1, 1}, {1, 1, 2}}),
      conv_sample("no images", f32({0, 3, 5, 5}), f32({4, 3, 3, 3}), plain),
      conv_sample("window over the edge", f32({1, 1, 2, 2}), f32({1, 1, 3, 3}), plain),
      conv_sample("f64", f64({1, 2, 5, 5}), f64({3, 2, 3, 3}), same),
      conv_sample("f16", f16({1, 2, 5, 5}), f16({3, 2, 3, 3}), same),
      conv_sample("bf16", bf16({1, 2, 5, 5}), bf16({3, 2, 3, 3}), same),
      conv_sample("i32", i32({1, 2, 5, 5}), i32({3, 2, 3, 3}), same)};
}

}  // namespace temper
