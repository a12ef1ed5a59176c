// Writes at places that are values.
#include "ops/indexing.h"
#include "ops/reduction.h"

namespace temper {
namespace {

ops::ScatterDims dims_of(const Attributes& attributes) {
  return {attributes.get<Ints>("update_window_dims"), attributes.get<Ints>("inserted_window_dims"),
          attributes.get<Ints>("scatter_dims_to_operand_dims"), attributes.get<int64_t>("index_vector_dim")};
}

std::vector<Type> infer_scatter(const InferContext& c) {
  expect_inputs(c, 3);
  expect_equal_dtypes(c, 0, 2);
  const std::string& kind = word_attribute(c, "kind", {"add", "set", "mul", "max", "min"});
  if (kind != "set") expect_dtype(c, 0, is_arithmetic, "numbers");
  const Shape &x = c.inputs[0].shape, &updates = c.inputs[2].shape;
  const Shape batch = index_batch(c, 1, c.attributes.get<int64_t>("index_vector_dim"),
                                  axes_attribute(c, "scatter_dims_to_operand_dims", x.rank()));
  const Ints windows = axes_attribute(c, "update_window_dims", updates.rank());
  const Ints inserted = axes_attribute(c, "inserted_window_dims", x.rank());
  const Ints kept = other_axes(x.rank(), inserted), rest = other_axes(updates.rank(), windows);
  bool fits = windows.size() == kept.size() && static_cast<int>(rest.size()) == batch.rank() &&
              std::is_sorted(windows.begin(), windows.end());
  for (size_t i = 0; fits && i < rest.size(); ++i)
    fits = updates[static_cast<int>(rest[i])] == batch[static_cast<int>(i)];
  for (size_t i = 0; fits && i < kept.size(); ++i) {
    const Dim &window = updates[static_cast<int>(windows[i])], &whole = x[static_cast<int>(kept[i])];
    fits = window == whole || (window.is_static() && (!whole.is_static() || window.size() <= whole.size()));
  }
  if (!fits)
    c.fail(concat("updates ", to_string(c.inputs[2]), " with windows [", join(windows, ", "), "] do not fit ",
                  to_string(c.inputs[0]), " at indices ", to_string(c.inputs[1])));
  return {c.inputs[0]};
}

void write(const Array& updates, int64_t source, Array& y, int64_t target, std::string_view kind) {
  if (kind == "set") return copy_element(updates, source, y, target);
  fold_element(reduction(kind == "add" ? "sum" : kind == "mul" ? "prod" : kind), updates, source, y, target);
}

std::vector<Array> evaluate_scatter(const EvaluateContext& c) {
  const Array &indices = *c.inputs[1], &updates = *c.inputs[2];
  const ops::ScatterDims dims = dims_of(c.node.attributes);
  const auto& kind = c.node.attributes.get<std::string>("kind");
  Array y = *c.inputs[0];
  const Ints sizes = y.type.shape.sizes(), strides = row_major_strides(sizes);
  const Ints update_sizes = updates.type.shape.sizes();
  const Ints kept = other_axes(static_cast<int>(sizes.size()), dims.inserted_window_dims);
  const IndexReader reader(indices, dims.index_vector_dim, dims.scatter_dims_to_operand_dims);
  int64_t source = 0;
  Ints batch, place(sizes.size());
  for_each_index(update_sizes, [&](const Ints& index) {
    batch.clear();
    std::fill(place.begin(), place.end(), 0);
    for (size_t axis = 0; axis < index.size(); ++axis) {
      if (!contains(dims.update_window_dims, static_cast<int64_t>(axis))) batch.push_back(index[axis]);
    }
    reader.read(batch, place);
    for (size_t i = 0; i < kept.size(); ++i)
      place[static_cast<size_t>(kept[i])] += index[static_cast<size_t>(dims.update_window_dims[i])];
    if (inside(place, sizes)) write(updates, source, y, offset(place, strides), kind);
    ++source;
  });
  return {std::move(y)};
}

// Every element of the updates with its own full index into x, as its gradient needs it.
class Scattered {
 public:
  Scattered(Builder& b, const VjpContext& c) : b_(b), x_(c.inputs[0]), updates_(c.inputs[2]) {
    const int rank = b.shape(x_).rank(), update_rank = b.shape(updates_).rank();
    const Ints axes = range(0, rank);
    scatter_ = {{}, axes, axes, update_rank};
    gather_ = {{}, axes, axes, update_rank, Ints(axes.size(), 1)};
    points_ = points(ops::convert(b, c.inputs[1], DType::i64), dims_of(c.node.attributes));
  }

  Value scatter(Value into, Value updates, std::string_view kind) const {
    return ops::scatter(b_, into, points_, updates, scatter_, kind);
  }
  // What stands in y where each update went; meaningless where it was dropped.
  Value gather(Value y) const { return ops::gather(b_, y, points_, gather_); }
  // `values` where the update was written, else 0.
  Value if_written(Value values) const {
    const Value last = last_places(b_, x_, gather_.start_index_map, gather_.slice_sizes);
    const auto below = [](Builder& b, Value place, Value limit) {
      return ops::compare(b, place, limit, "le");
    };
    const Value low = ops::compare(b_, points_, b_.scalar(DType::i64, 0), "ge");
    const Value high = along(b_, points_, gather_.index_vector_dim, last, below);
    const Value inside = ops::reduce(b_, ops::bit_and(b_, low, high), {gather_.index_vector_dim}, "and");
    return ops::select(b_, inside, values, b_.scalar(b_.dtype(values), 0));
  }
  // Whether each update is the one that y shows: none was written after it.
  Value winners() const {
    const Shape shape = b_.shape(updates_);
    const std::optional<Dim> elements = product(shape.dims());
    if (!elements)
      throw Error(ErrorKind::unsupported,
                  "no gradient through a scatter of several symbolic dimensions: fix them with --shape");
    const Value number = ops::reshape(b_, ops::iota(b_, DType::i64, {*elements}, 0), shape);
    const Value last = scatter(ops::full(b_, {DType::i64, b_.shape(x_)}, -1), number, "set");
    return ops::compare(b_, gather(last), number, "eq");
  }

 private:
  // i64[updates..., rank of x]: the start of the window plus the place in it
  Value points(Value indices, const ops::ScatterDims& dims) const {
    const Shape updates = b_.shape(updates_);
    const int rank = b_.shape(x_).rank();
    const Ints kept = other_axes(rank, dims.inserted_window_dims),
               batch = other_axes(updates.rank(), dims.update_window_dims);
    std::vector<Value> parts(static_cast<size_t>(rank), ops::zeros(b_, {DType::i64, updates}));
    for (size_t i = 0; i < kept.size(); ++i)
      parts[static_cast<size_t>(kept[i])] = ops::iota(b_, DType::i64, updates, dims.update_window_dims[i]);
    for (size_t k = 0; k < dims.scatter_dims_to_operand_dims.size(); ++k) {
      Value& part = parts[static_cast<size_t>(dims.scatter_dims_to_operand_dims[k])];
      const Value start = entry(indices, dims.index_vector_dim, static_cast<int64_t>(k));
      part = ops::add(b_, part, ops::broadcast_in_dim(b_, start, updates, batch));
    }
    Shape column = updates;
    column.push_back(1);
    for (Value& part : parts) part = ops::reshape(b_, part, column);
    column[updates.rank()] = 0;
    return parts.empty() ? ops::zeros(b_, {DType::i64, column}) : ops::concat(b_, parts, updates.rank());
  }

  // Entry k of every index vector.
  Value entry(Value indices, int64_t vector_dim, int64_t k) const {
    const Shape shape = b_.shape(indices);
    if (vector_dim == shape.rank()) return indices;
    Ints starts(static_cast<size_t>(shape.rank()), 0), limits(starts.size(), ops::kEnd);
    starts[static_cast<size_t>(vector_dim)] = k;
    limits[static_cast<size_t>(vector_dim)] = k + 1;
    Shape batch;
    for (int i = 0; i < shape.rank(); ++i) {
      if (i != vector_dim) batch.push_back(shape[i]);
    }
    return ops::reshape(b_, ops::slice(b_, indices, starts, limits, Ints(starts.size(), 1)), batch);
  }

  Builder& b_;
  Value x_, updates_, points_;
  ops::ScatterDims scatter_;
  ops::GatherDims gather_;
};

std::vector<Value> vjp_set(Builder& b, const VjpContext& c, const Scattered& scattered) {
  const Value dy = c.cotangents[0], updates = c.inputs[2];
  std::vector<Value> result(3);
  if (ops::needed(c, 0)) result[0] = scattered.scatter(dy, ops::zeros(b, b.type(updates)), "set");
  if (ops::needed(c, 2))
    result[2] = ops::select(b, scattered.winners(), scattered.gather(dy), b.scalar(b.dtype(dy), 0));
  return result;
}

std::vector<Value> vjp_product(Builder& b, const VjpContext& c, const Scattered& scattered) {
  const Value dy = c.cotangents[0], x = c.inputs[0], updates = c.inputs[2];
  const Value zeros = scattered.scatter(is_zero(b, x), is_zero(b, updates), "add");
  const Value rest = scattered.scatter(ones_for_zeros(b, x), ones_for_zeros(b, updates), "mul");
  const Value slope = product_slope(b, updates, scattered.gather(zeros), scattered.gather(rest));
  return {ops::mul(b, dy, product_slope(b, x, zeros, rest)), Value{},
          scattered.if_written(ops::mul(b, scattered.gather(dy), slope))};
}

// A tie shares the gradient evenly.
std::vector<Value> vjp_extreme(Builder& b, const VjpContext& c, const Scattered& scattered) {
  const Value x = c.inputs[0], updates = c.inputs[2], y = c.outputs[0];
  const auto best = [&](Value values, Value of) {
    return ops::convert(b, ops::compare(b, values, of, "eq"), b.dtype(x));
  };
  const Value x_best = best(x, y);
  const Value update_best = scattered.if_written(best(updates, scattered.gather(y)));
  const Value share = ops::div(b, c.cotangents[0], scattered.scatter(x_best, update_best, "add"));
  return {ops::mul(b, share, x_best), Value{}, ops::mul(b, scattered.gather(share), update_best)};
}

std::vector<Value> vjp_scatter(Builder& b, const VjpContext& c) {
  const std::string_view kind = c.node.attributes.get<std::string>("kind");
  const Scattered scattered(b, c);
  if (kind == "add")
    return {c.cotangents[0], Value{},
            ops::needed(c, 2) ? scattered.if_written(scattered.gather(c.cotangents[0])) : Value{}};
  if (kind == "set") return vjp_set(b, c, scattered);
  return kind == "mul" ? vjp_product(b, c, scattered) : vjp_extreme(b, c, scattered);
}

Sample scatter_sample(std::string_view name, std::string_view kind, const Type& x, const Type& indices,
                      const Type& updates, const ops::ScatterDims& dims,
                      const Fill& places = integers(-1, 5)) {
  const Fill numbers = is_float(x.dtype) ? Fill{} : integers(-9, 9);
  return {.name = concat(kind, " ", name),
          .inputs = {x, indices, updates},
          .attributes = {{"index_vector_dim", integer(dims.index_vector_dim)},
                         {"inserted_window_dims", dims.inserted_window_dims},
                         {"kind", word(kind)},
                         {"scatter_dims_to_operand_dims", dims.scatter_dims_to_operand_dims},
                         {"update_window_dims", dims.update_window_dims}},
          .fills = {numbers, places, numbers}};
}

std::vector<Sample> scatter_samples() {
  std::vector<Sample> samples;
  const ops::ScatterDims rows{{1}, {0}, {0}, 1}, points{{}, {0, 1}, {0, 1}, 1};
  for (const char* kind : {"add", "set", "mul", "max", "min"}) {
    samples.push_back(scatter_sample("rows", kind, f32({6, 3}), i64({4}), f32({4, 3}), rows));
    samples.push_back(scatter_sample("points", kind, f32({4, 5}), i64({7, 2}), f32({7}), points));
    samples.push_back(scatter_sample("index vectors first", kind, f32({4, 5}), i32({2, 7}), f32({7}),
                                     {{}, {0, 1}, {1, 0}, 0}));
    samples.push_back(
        scatter_sample("windows", kind, f32({6, 7}), i64({3, 2}), f32({3, 2, 3}), {{1, 2}, {}, {0, 1}, 1}));
    samples.push_back(
        scatter_sample("columns", kind, f32({3, 6}), i64({2, 2}), f32({3, 2, 2}), {{0}, {1}, {1}, 2}));
    samples.push_back(scatter_sample("no updates", kind, f32({6, 3}), i64({0}), f32({0, 3}), rows));
    samples.push_back(scatter_sample("one place", kind, f32({6, 3}), i64({}), f32({3}), {{0}, {0}, {0}, 0}));
    for (DType dtype : {DType::f64, DType::f16, DType::i8, DType::i64})
      samples.push_back(
          scatter_sample(to_string(dtype), kind, {dtype, {6, 3}}, i64({4}), {dtype, {4, 3}}, rows));
  }
  samples.push_back(scatter_sample("with zeros", "mul", f32({6, 3}), i64({9}), f32({9, 3}), rows));
  samples.back().fills = {integers(-1, 3), integers(0, 6), integers(-1, 3)};
  samples.push_back(
      scatter_sample("boolean", "set", boolean({6}), i64({3}), boolean({3}), {{}, {0}, {0}, 1}));
  return samples;
}

}  // namespace

const Op scatter_op{
    .name = "scatter",
    .summary =
        "y = x with updates written at indices by `kind`: add, set (the last wins), mul, max, min; those "
        "out of bounds are dropped; dimension numbers as StableHLO",
    .infer = infer_scatter,
    .evaluate = evaluate_scatter,
    .vjp = vjp_scatter,
    .samples = scatter_samples};

namespace ops {

Value scatter(Builder& b, Value x, Value indices, Value updates, const ScatterDims& dims,
              std::string_view kind) {
  return b.emit(scatter_op, {x, indices, updates},
                {{"index_vector_dim", integer(dims.index_vector_dim)},
                 {"inserted_window_dims", dims.inserted_window_dims},
                 {"kind", word(kind)},
                 {"scatter_dims_to_operand_dims", dims.scatter_dims_to_operand_dims},
                 {"update_window_dims", dims.update_window_dims}});
}

}  // namespace ops
}  // namespace temper
