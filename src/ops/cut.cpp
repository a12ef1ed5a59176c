// Moves that cut and join: slice, pad, concat.
#include <algorithm>

#include "ops/map.h"

namespace temper {
namespace {

// starts, limits, strides of one axis; a limit of kEnd is its size.
struct Cut {
  int64_t start, limit, stride;
};

Dim cut_dim(const InferContext& c, int axis, const Cut& cut) {
  const Dim& dim = c.inputs[0].shape[axis];
  const auto fail = [&] {
    c.fail(concat("axis ", axis, " of ", to_string(c.inputs[0]), " cannot be cut from ", cut.start, " to ",
                  cut.limit == ops::kEnd ? "the end" : concat(cut.limit), " by ", cut.stride));
  };
  if (cut.start < 0 || cut.stride < 1) fail();
  if (!dim.is_static()) {  // whole, or every stride-th of a multiple
    const std::optional<Dim> every = quotient(dim, cut.stride);
    if (cut.limit != ops::kEnd || cut.start >= cut.stride || !every) fail();
    return *every;
  }
  const int64_t limit = cut.limit == ops::kEnd ? dim.size() : cut.limit;
  if (limit < cut.start || limit > dim.size()) fail();
  return (limit - cut.start) / cut.stride + ((limit - cut.start) % cut.stride != 0);
}

std::vector<Type> infer_slice(const InferContext& c) {
  expect_inputs(c, 1);
  const int rank = c.inputs[0].shape.rank();
  const Ints &starts = c.attributes.get<Ints>("starts"), &limits = c.attributes.get<Ints>("limits"),
             &strides = c.attributes.get<Ints>("strides");
  expect_entries(c, "starts", starts, rank);
  expect_entries(c, "limits", limits, rank);
  expect_entries(c, "strides", strides, rank);
  Shape shape;
  for (int axis = 0; axis < rank; ++axis) {
    const auto i = static_cast<size_t>(axis);
    shape.push_back(cut_dim(c, axis, {starts[i], limits[i], strides[i]}));
  }
  return {{c.inputs[0].dtype, shape}};
}

std::vector<Array> evaluate_slice(const EvaluateContext& c) {
  const Ints &starts = c.node.attributes.get<Ints>("starts"), &steps = c.node.attributes.get<Ints>("strides");
  const Ints from = row_major_strides(c.inputs[0]->type.shape.sizes());
  Ints strides = from;
  for (size_t i = 0; i < strides.size(); ++i) strides[i] = from[i] * steps[i];
  return {strided(c.outputs[0], *c.inputs[0], offset(starts, from), strides)};
}

// Puts every element back where it was cut from. A symbolic axis is whole or every stride-th.
std::vector<Value> vjp_slice(Builder& b, const VjpContext& c) {
  const Shape from = b.shape(c.inputs[0]), to = b.shape(c.cotangents[0]);
  const Ints &starts = c.node.attributes.get<Ints>("starts"),
             &strides = c.node.attributes.get<Ints>("strides");
  Ints high(starts.size()), interior(starts.size());
  for (int axis = 0; axis < from.rank(); ++axis) {
    const auto i = static_cast<size_t>(axis);
    interior[i] = strides[i] - 1;
    high[i] = from[axis].is_static() ? from.size(axis) - starts[i] - dilated(to.size(axis), strides[i])
                                     : strides[i] - 1 - starts[i];
  }
  return {ops::pad(b, c.cotangents[0], b.scalar(b.dtype(c.cotangents[0]), 0), starts, high, interior)};
}

Sample slice_sample(const Type& type, const Ints& starts, const Ints& limits, const Ints& strides) {
  return {.name = concat(to_string(type), " from ", join(starts, " "), " by ", join(strides, " ")),
          .inputs = {type},
          .attributes = {{"limits", limits}, {"starts", starts}, {"strides", strides}}};
}

std::vector<Sample> slice_samples() {
  constexpr int64_t kEnd = ops::kEnd;
  return {slice_sample(f32({9}), {2}, {7}, {1}),
          slice_sample(f32({9}), {1}, {kEnd}, {3}),
          slice_sample(f32({4, 6}), {1, 0}, {3, kEnd}, {1, 2}),
          slice_sample(f32({4, 6}), {0, 5}, {4, 6}, {3, 1}),
          slice_sample(f32({4, 6}), {2, 2}, {2, 4}, {1, 1}),
          slice_sample(f32({2, 3, 8, 8}), {0, 1, 1, 2}, {2, 2, 8, 7}, {1, 1, 2, 3}),
          slice_sample(f32({}), {}, {}, {}),
          slice_sample(f32({0, 4}), {0, 1}, {0, 4}, {1, 1}),
          slice_sample(f64({4, 6}), {1, 1}, {3, 5}, {1, 2}),
          slice_sample(f16({4, 6}), {1, 1}, {3, 5}, {1, 2}),
          slice_sample(i8({4, 6}), {1, 1}, {3, 5}, {1, 2}),
          slice_sample(i64({4, 6}), {1, 1}, {3, 5}, {1, 2}),
          slice_sample(boolean({4, 6}), {1, 1}, {3, 5}, {1, 2})};
}

Dim padded_dim(const InferContext& c, int axis, int64_t low, int64_t high, int64_t interior) {
  const Dim& dim = c.inputs[0].shape[axis];
  constexpr int64_t kLimit = int64_t{1} << 40;
  const auto within = [](int64_t value, int64_t least) { return value >= least && value <= kLimit; };
  const bool bounded = within(low, -kLimit) && within(high, -kLimit) && within(interior, 0);
  if (bounded && dim.is_static() && dim.size() <= kLimit) {
    const __int128 inner = dim.size() > 0 ? static_cast<__int128>(dim.size() - 1) * (interior + 1) + 1 : 0;
    const __int128 size = inner + low + high;
    if (size >= 0 && size <= kLimit) return static_cast<int64_t>(size);
  }
  if (bounded && !dim.is_static() && low + high == interior) {  // N elements, each with its gap
    if (const std::optional<Dim> size = product(std::vector<Dim>{dim, interior + 1})) return *size;
  }
  c.fail(concat("axis ", axis, " of ", to_string(c.inputs[0]), " cannot be padded by ", low, " and ", high,
                " with ", interior, " between"));
}

std::vector<Type> infer_pad(const InferContext& c) {
  expect_inputs(c, 2);
  expect_equal_dtypes(c, 0, 1);
  if (c.inputs[1].shape.rank() != 0)
    c.fail(concat("the padding must be a scalar, found ", to_string(c.inputs[1])));
  const int rank = c.inputs[0].shape.rank();
  const Ints &low = c.attributes.get<Ints>("low"), &high = c.attributes.get<Ints>("high"),
             &interior = c.attributes.get<Ints>("interior");
  expect_entries(c, "low", low, rank);
  expect_entries(c, "high", high, rank);
  expect_entries(c, "interior", interior, rank);
  Shape shape;
  for (int axis = 0; axis < rank; ++axis) {
    const auto i = static_cast<size_t>(axis);
    shape.push_back(padded_dim(c, axis, low[i], high[i], interior[i]));
  }
  return {{c.inputs[0].dtype, shape}};
}

std::vector<Array> evaluate_pad(const EvaluateContext& c) {
  const Array& x = *c.inputs[0];
  const Ints &low = c.node.attributes.get<Ints>("low"), &interior = c.node.attributes.get<Ints>("interior");
  const Ints sizes = c.outputs[0].shape.sizes(), strides = row_major_strides(sizes);
  Array y = strided(c.outputs[0], *c.inputs[1], 0, Ints(sizes.size(), 0));
  int64_t source = 0;
  Ints target(sizes.size());
  for_each_index(x.type.shape.sizes(), [&](const Ints& index) {
    for (size_t i = 0; i < index.size(); ++i) target[i] = low[i] + index[i] * (interior[i] + 1);
    if (inside(target, sizes)) copy_element(x, source, y, offset(target, strides));
    ++source;
  });
  return {std::move(y)};
}

// dx: dy with the ends cut off (where they were cropped: zeros put back) and the gaps skipped.
std::vector<Value> vjp_pad(Builder& b, const VjpContext& c) {
  const Value dy = c.cotangents[0];
  const Shape from = b.shape(c.inputs[0]), to = b.shape(dy);
  Ints low = c.node.attributes.get<Ints>("low"), high = c.node.attributes.get<Ints>("high"),
       strides = c.node.attributes.get<Ints>("interior"), starts(low.size(), 0);
  for (size_t i = 0; i < low.size(); ++i) {
    const auto axis = static_cast<int>(i);
    ++strides[i];
    if (!from[axis].is_static() && strides[i] > 1) {  // every stride-th: the ends are less than a stride
      starts[i] = low[i], low[i] = high[i] = 0;
    } else if (from[axis] == Dim(0)) {
      low[i] = 0, high[i] = -to.size(axis);
    } else {
      low[i] = -low[i], high[i] = -high[i];
    }
  }
  const Ints none(low.size(), 0), all_axes = range(0, from.rank());
  const Value whole = ops::pad(b, dy, b.scalar(b.dtype(dy), 0), low, high, none);
  const Value dx = ops::slice(b, whole, starts, Ints(low.size(), ops::kEnd), strides);
  if (!ops::needed(c, 1)) return {dx};
  return {dx, ops::sub(b, ops::reduce_sum(b, dy, all_axes), ops::reduce_sum(b, dx, all_axes))};
}

Sample pad_sample(const Type& type, const Ints& low, const Ints& high, const Ints& interior) {
  return {.name = concat(to_string(type), " by ", join(low, " "), " and ", join(high, " "), " with ",
                         join(interior, " ")),
          .inputs = {type, {type.dtype, {}}},
          .attributes = {{"high", high}, {"interior", interior}, {"low", low}},
          .fills = {is_float(type.dtype) ? Fill{} : integers(-9, 9)}};
}

std::vector<Sample> pad_samples() {
  return {pad_sample(f32({4}), {2}, {1}, {0}),
          pad_sample(f32({4}), {0}, {0}, {2}),
          pad_sample(f32({7}), {-2}, {-1}, {0}),
          pad_sample(f32({7}), {-2}, {3}, {1}),
          pad_sample(f32({3, 4}), {1, 0}, {0, 2}, {0, 1}),
          pad_sample(f32({3, 4}), {-1, 2}, {1, -3}, {1, 2}),
          pad_sample(f32({2, 3, 5, 5}), {0, 0, 1, 1}, {0, 0, 1, 1}, {0, 0, 0, 0}),
          pad_sample(f32({}), {}, {}, {}),
          pad_sample(f32({0, 2}), {2, 0}, {1, 0}, {3, 0}),
          pad_sample(f64({3, 4}), {1, 0}, {0, 2}, {0, 1}),
          pad_sample(f16({3, 4}), {1, 0}, {0, 2}, {0, 1}),
          pad_sample(i8({3, 4}), {1, 0}, {0, 2}, {0, 1}),
          pad_sample(i64({3, 4}), {1, -1}, {0, 2}, {0, 1}),
          pad_sample(boolean({3, 4}), {1, 0}, {0, 2}, {0, 1})};
}

std::vector<Type> infer_concat(const InferContext& c) {
  if (c.inputs.empty()) c.fail("expected at least one operand");
  expect_inputs(c, c.inputs.size());
  const int axis = axis_attribute(c, "axis", c.inputs[0].shape.rank());
  Type result = c.inputs[0];
  for (size_t i = 1; i < c.inputs.size(); ++i) {
    Type part = c.inputs[i];
    const std::optional<Dim> size =
        part.shape.rank() == result.shape.rank() ? sum(result.shape[axis], part.shape[axis]) : std::nullopt;
    if (size) result.shape[axis] = part.shape[axis] = *size;
    if (!size || part != result)
      c.fail(concat("operand ", i, " ", to_string(c.inputs[i]), " cannot be joined to ",
                    to_string(c.inputs[0]), " along axis ", axis));
  }
  return {result};
}

std::vector<Array> evaluate_concat(const EvaluateContext& c) {
  Array y = make_array(c.outputs[0]);
  const auto axis = static_cast<size_t>(c.node.attributes.get<int64_t>("axis"));
  const Ints strides = row_major_strides(y.type.shape.sizes());
  int64_t base = 0;
  for (const Array* part : c.inputs) {
    const Ints sizes = part->type.shape.sizes();
    int64_t source = 0;
    for_each_index(
        sizes, [&](const Ints& index) { copy_element(*part, source++, y, base + offset(index, strides)); });
    base += sizes[axis] * strides[axis];
  }
  return {std::move(y)};
}

std::vector<Value> vjp_concat(Builder& b, const VjpContext& c) {
  const auto axis = static_cast<size_t>(c.node.attributes.get<int64_t>("axis"));
  const auto rank = static_cast<size_t>(b.shape(c.cotangents[0]).rank());
  if (c.inputs.size() == 1) return {c.cotangents[0]};
  std::vector<Value> parts;
  Ints starts(rank, 0), limits(rank, ops::kEnd);
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    const Dim size = b.shape(c.inputs[i])[static_cast<int>(axis)];
    if (!size.is_static())
      throw Error(ErrorKind::unsupported, concat("no gradient through a concat along the symbolic dimension ",
                                                 to_string(size), ": fix it with --shape"));
    starts[axis] = limits[axis] == ops::kEnd ? 0 : limits[axis];
    limits[axis] = starts[axis] + size.size();
    parts.push_back(ops::needed(c, i) ? ops::slice(b, c.cotangents[0], starts, limits, Ints(rank, 1))
                                      : Value{});
  }
  return parts;
}

Sample concat_sample(const std::vector<Type>& parts, int64_t axis) {
  return {.name = concat(to_string(parts[0]), " and ", parts.size() - 1, " more along ", axis),
          .inputs = parts,
          .attributes = {{"axis", integer(axis)}},
          .fills = {is_float(parts[0].dtype) ? Fill{} : integers(-9, 9)}};
}

std::vector<Sample> concat_samples() {
  return {concat_sample({f32({3}), f32({2})}, 0),
          concat_sample({f32({2, 3}), f32({2, 1}), f32({2, 4})}, 1),
          concat_sample({f32({2, 3, 4, 4}), f32({2, 2, 4, 4})}, 1),
          concat_sample({f32({2, 3}), f32({0, 3}), f32({1, 3})}, 0),
          concat_sample({f32({2, 3})}, 0),
          concat_sample({f64({2, 3}), f64({2, 3})}, 1),
          concat_sample({f16({2, 3}), f16({2, 3})}, 1),
          concat_sample({i8({2, 3}), i8({1, 3})}, 0),
          concat_sample({i64({2}), i64({3})}, 0),
          concat_sample({boolean({2}), boolean({3})}, 0)};
}

}  // namespace

const Op slice_op{
    .name = "slice",
    .summary = "y[i] = x[`starts` + i `strides`], below `limits` (9223372036854775807: the end)",
    .infer = infer_slice,
    .evaluate = evaluate_slice,
    .vjp = vjp_slice,
    .samples = slice_samples};

const Op pad_op{
    .name = "pad",
    .summary =
        "y = x with `low` and `high` more of value at the ends of each axis and `interior` between its "
        "elements; negative ends crop",
    .infer = infer_pad,
    .evaluate = evaluate_pad,
    .vjp = vjp_pad,
    .samples = pad_samples};

const Op concat_op{.name = "concat",
                   .summary = "y = the operands one after another along `axis`",
                   .infer = infer_concat,
                   .evaluate = evaluate_concat,
                   .vjp = vjp_concat,
                   .samples = concat_samples};

namespace ops {

Value slice(Builder& b, Value x, const Ints& starts, const Ints& limits, const Ints& strides) {
  const Shape shape = b.shape(x);
  bool whole = static_cast<int>(starts.size()) == shape.rank() && starts.size() == limits.size() &&
               limits.size() == strides.size();
  for (size_t i = 0; whole && i < starts.size(); ++i) {
    const Dim& dim = shape[static_cast<int>(i)];
    whole = starts[i] == 0 && strides[i] == 1 && (limits[i] == kEnd || dim == Dim(limits[i]));
  }
  return whole ? x : b.emit(slice_op, {x}, {{"limits", limits}, {"starts", starts}, {"strides", strides}});
}

Value pad(Builder& b, Value x, Value value, const Ints& low, const Ints& high, const Ints& interior) {
  const auto zero = [](const Ints& values) {
    return std::all_of(values.begin(), values.end(), [](int64_t v) { return v == 0; });
  };
  if (static_cast<int>(low.size()) == b.shape(x).rank() && zero(low) && zero(high) && zero(interior))
    return x;
  return b.emit(pad_op, {x, value}, {{"high", high}, {"interior", interior}, {"low", low}});
}

Value concat(Builder& b, std::vector<Value> parts, int64_t axis) {
  return parts.size() == 1 ? parts[0] : b.emit(concat_op, std::move(parts), {{"axis", integer(axis)}});
}

}  // namespace ops
}  // namespace temper
