// Reads at places that are values: gather and take.
#include "ops/indexing.h"

namespace temper {
namespace {

ops::GatherDims dims_of(const Attributes& attributes) {
  return {attributes.get<Ints>("offset_dims"), attributes.get<Ints>("collapsed_slice_dims"),
          attributes.get<Ints>("start_index_map"), attributes.get<int64_t>("index_vector_dim"),
          attributes.get<Ints>("slice_sizes")};
}

// The slice that each index vector reads; -1 stands for a whole axis.
Shape slice_shape(const InferContext& c) {
  const Shape& x = c.inputs[0].shape;
  const Ints& sizes = c.attributes.get<Ints>("slice_sizes");
  expect_entries(c, "slice_sizes", sizes, x.rank());
  Shape shape;
  for (int i = 0; i < x.rank(); ++i) {
    const int64_t size = sizes[static_cast<size_t>(i)];
    if (size < -1 || (size >= 0 && x[i].is_static() && size > x[i].size()))
      c.fail(concat("slice_sizes [", join(sizes, ", "), "] do not fit into ", to_string(c.inputs[0])));
    shape.push_back(size < 0 ? x[i] : Dim(size));
  }
  return shape;
}

std::vector<Type> infer_gather(const InferContext& c) {
  expect_inputs(c, 2);
  const Shape& x = c.inputs[0].shape;
  const Shape batch = index_batch(c, 1, c.attributes.get<int64_t>("index_vector_dim"),
                                  axes_attribute(c, "start_index_map", x.rank()));
  const Shape slice = slice_shape(c);
  const Ints collapsed = axes_attribute(c, "collapsed_slice_dims", x.rank());
  for (int64_t axis : collapsed) {
    if (!is_one(slice[static_cast<int>(axis)]))
      c.fail(concat("axis ", axis, " is collapsed but its slice has ",
                    to_string(slice[static_cast<int>(axis)]), " elements"));
  }
  const Ints kept = other_axes(x.rank(), collapsed);
  const int rank = batch.rank() + static_cast<int>(kept.size());
  const Ints offsets = axes_attribute(c, "offset_dims", rank);
  expect_entries(c, "offset_dims", offsets, static_cast<int64_t>(kept.size()));
  if (!std::is_sorted(offsets.begin(), offsets.end())) c.fail("offset_dims must ascend");
  Shape shape;
  int next_batch = 0;
  for (int axis = 0, next_kept = 0; axis < rank; ++axis) {
    shape.push_back(contains(offsets, axis) ? slice[static_cast<int>(kept[static_cast<size_t>(next_kept++)])]
                                            : batch[next_batch++]);
  }
  return {{c.inputs[0].dtype, shape}};
}

std::vector<Array> evaluate_gather(const EvaluateContext& c) {
  const Array &x = *c.inputs[0], &indices = *c.inputs[1];
  const ops::GatherDims dims = dims_of(c.node.attributes);
  const Ints sizes = x.type.shape.sizes(), strides = row_major_strides(sizes);
  const Ints kept = other_axes(static_cast<int>(sizes.size()), dims.collapsed_slice_dims);
  const IndexReader reader(indices, dims.index_vector_dim, dims.start_index_map);
  Array y = make_array(c.outputs[0]);
  int64_t target = 0;
  Ints batch, place(sizes.size());
  for_each_index(y.type.shape.sizes(), [&](const Ints& index) {
    batch.clear();
    std::fill(place.begin(), place.end(), 0);
    for (size_t axis = 0; axis < index.size(); ++axis) {
      if (!contains(dims.offset_dims, static_cast<int64_t>(axis))) batch.push_back(index[axis]);
    }
    reader.read(batch, place);
    for (size_t i = 0; i < place.size(); ++i) {
      const int64_t slice = dims.slice_sizes[i] < 0 ? sizes[i] : dims.slice_sizes[i];
      place[i] = std::clamp<int64_t>(place[i], 0, sizes[i] - slice);
    }
    for (size_t i = 0; i < kept.size(); ++i)
      place[static_cast<size_t>(kept[i])] += index[static_cast<size_t>(dims.offset_dims[i])];
    copy_element(x, offset(place, strides), y, target++);
  });
  return {std::move(y)};
}

// Adds every element of dy where it was read. A scatter drops what is out of bounds, so the places are
// clamped first.
std::vector<Value> vjp_gather(Builder& b, const VjpContext& c) {
  const ops::GatherDims dims = dims_of(c.node.attributes);
  const Value x = c.inputs[0];
  const Value last = last_places(b, x, dims.start_index_map, dims.slice_sizes);  // i64[k]
  const Value indices = along(
      b, ops::convert(b, c.inputs[1], DType::i64), dims.index_vector_dim, last,
      [](Builder& at, Value place, Value limit) { return ops::max(at, ops::min(at, place, limit), 0); });
  return {ops::scatter(
      b, ops::zeros(b, b.type(x)), indices, c.cotangents[0],
      {dims.offset_dims, dims.collapsed_slice_dims, dims.start_index_map, dims.index_vector_dim}, "add")};
}

Sample gather_sample(std::string_view name, const Type& x, const Type& indices, const ops::GatherDims& dims,
                     int64_t below = 4) {
  return {.name = std::string(name),
          .inputs = {x, indices},
          .attributes = {{"collapsed_slice_dims", dims.collapsed_slice_dims},
                         {"index_vector_dim", integer(dims.index_vector_dim)},
                         {"offset_dims", dims.offset_dims},
                         {"slice_sizes", dims.slice_sizes},
                         {"start_index_map", dims.start_index_map}},
          .fills = {is_float(x.dtype) ? Fill{} : integers(-9, 9), integers(0, below)}};
}

std::vector<Sample> gather_samples() {
  std::vector<Sample> samples{
      gather_sample("rows", f32({6, 3}), i64({4}), {{1}, {0}, {0}, 1, {1, -1}}, 6),
      gather_sample("rows of many", f32({6, 3}), i64({2, 4}), {{2}, {0}, {0}, 2, {1, 3}}, 6),
      gather_sample("columns", f32({3, 6}), i32({4}), {{0}, {1}, {1}, 1, {3, 1}}, 6),
      gather_sample("middle axis", f32({2, 5, 3}), i64({2, 2}), {{0, 3}, {1}, {1}, 2, {2, 1, 3}}, 5),
      gather_sample("one place", f32({5, 3}), i64({}), {{0}, {0}, {0}, 0, {1, 3}}, 5),
      gather_sample("points", f32({4, 5}), i64({6, 2}), {{}, {0, 1}, {0, 1}, 1, {1, 1}}),
      gather_sample("points, index vectors first", f32({4, 5}), i64({2, 6}), {{}, {0, 1}, {1, 0}, 0, {1, 1}}),
      gather_sample("windows", f32({6, 7}), i64({3, 2}), {{1, 2}, {}, {0, 1}, 1, {2, 3}}),
      gather_sample("windows first", f32({6, 7}), i64({3, 2}), {{0, 1}, {}, {0, 1}, 1, {2, 3}}),
      gather_sample("clamped", f32({4, 3}), i64({7}), {{1}, {0}, {0}, 1, {1, 3}}),
      gather_sample("no places", f32({4, 3}), i64({0}), {{1}, {0}, {0}, 1, {1, 3}})};
  samples[9].fills = {{}, integers(-3, 9)};
  for (DType dtype : {DType::f64, DType::f16, DType::i8, DType::i64, DType::boolean})
    samples.push_back(
        gather_sample(to_string(dtype), {dtype, {6, 3}}, i64({4}), {{1}, {0}, {0}, 1, {1, 3}}, 6));
  return samples;
}

}  // namespace

const Op gather_op{
    .name = "gather",
    .summary =
        "y = slices of x of `slice_sizes` (-1: the whole axis) that start at indices, clamped to fit; "
        "dimension numbers as StableHLO",
    .infer = infer_gather,
    .evaluate = evaluate_gather,
    .vjp = vjp_gather,
    .samples = gather_samples};

namespace ops {

Value gather(Builder& b, Value x, Value indices, const GatherDims& dims) {
  return b.emit(gather_op, {x, indices},
                {{"collapsed_slice_dims", dims.collapsed_slice_dims},
                 {"index_vector_dim", integer(dims.index_vector_dim)},
                 {"offset_dims", dims.offset_dims},
                 {"slice_sizes", dims.slice_sizes},
                 {"start_index_map", dims.start_index_map}});
}

Value take(Builder& b, Value x, Value indices, int64_t axis) {
  const int rank = b.shape(x).rank(), places = b.shape(indices).rank();
  if (axis < 0 || axis >= rank)
    throw Error(ErrorKind::invalid,
                temper::concat("take: axis ", axis, " is no axis of ", to_string(b.type(x))));
  GatherDims dims{range(0, axis), {axis}, {axis}, places, Ints(static_cast<size_t>(rank), -1)};
  for (int64_t i = axis + places; i < rank - 1 + places; ++i) dims.offset_dims.push_back(i);
  dims.slice_sizes[static_cast<size_t>(axis)] = 1;
  return gather(b, x, indices, dims);
}

}  // namespace ops
}  // namespace temper
