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
  Ints window(sizes.size(), 1);  // the extent of one update in y
  for (size_t i = 0; i < kept.size(); ++i)
    window[static_cast<size_t>(kept[i])] = update_sizes[static_cast<size_t>(dims.update_window_dims[i])];
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
    bool fits = true;  // as a whole, or the window is dropped: what XLA does
    for (size_t i = 0; i < place.size(); ++i) fits &= place[i] >= 0 && place[i] <= sizes[i] - window[i];
    for (size_t i = 0; i < kept.size(); ++i)
      place[static_cast<size_t>(kept[i])] += index[static_cast<size_t>(dims.update_window_dims[i])];
    if (fits) write(updates, source, y, offset(place, strides), kind);
    ++source;
  });
  return {std::move(y)};
}

// The updates' view of a result, as their gradients need it.
class Scattered {
 public:
  Scattered(Builder& b, const VjpContext& c)
      : b_(b), x_(c.inputs[0]), updates_(c.inputs[2]), dims_(dims_of(c.node.attributes)) {
    indices_ = ops::convert(b, c.inputs[1], DType::i64);
    const Shape x = b.shape(x_), updates = b.shape(updates_);
    const Ints kept = other_axes(x.rank(), dims_.inserted_window_dims);
    window_.assign(static_cast<size_t>(x.rank()), 1);
    for (size_t i = 0; i < kept.size(); ++i) {
      const Dim size = updates[static_cast<int>(dims_.update_window_dims[i])];
      window_[static_cast<size_t>(kept[i])] = size.is_static() ? size.size() : -1;
    }
  }

  Value scatter(Value into, Value updates, std::string_view kind) const {
    return ops::scatter(b_, into, indices_, updates, dims_, kind);
  }
  // What stands in y where each update went; meaningless where it was dropped.
  Value gather(Value y) const {
    return ops::gather(b_, y, indices_,
                       {dims_.update_window_dims, dims_.inserted_window_dims,
                        dims_.scatter_dims_to_operand_dims, dims_.index_vector_dim, window_});
  }
  // `values` where the update was written, else 0.
  Value if_written(Value values) const {
    const Value last = last_places(b_, x_, dims_.scatter_dims_to_operand_dims, window_);
    const Value low = ops::compare(b_, indices_, b_.scalar(DType::i64, 0), "ge");
    const Value high =
        along(b_, indices_, dims_.index_vector_dim, last,
              [](Builder& b, Value place, Value limit) { return ops::compare(b, place, limit, "le"); });
    Value inside = ops::bit_and(b_, low, high);
    if (dims_.index_vector_dim < b_.shape(inside).rank())
      inside = ops::reduce(b_, inside, {dims_.index_vector_dim}, "and");
    const Shape shape = b_.shape(values);
    inside = ops::broadcast_in_dim(b_, inside, shape, other_axes(shape.rank(), dims_.update_window_dims));
    return ops::select(b_, inside, values, b_.scalar(b_.dtype(values), 0));
  }
  // Which update each element of y was last written by: 1 where it is this one.
  Value winners() const {
    const std::optional<Dim> elements = product(b_.shape(updates_).dims());
    if (!elements)
      throw Error(ErrorKind::unsupported,
                  "no gradient through a scatter of several symbolic dimensions: fix them with --shape");
    const Value number = ops::reshape(b_, ops::iota(b_, DType::i64, {*elements}, 0), b_.shape(updates_));
    const Value last = scatter(ops::full(b_, {DType::i64, b_.shape(x_)}, -1), number, "set");
    return ops::compare(b_, gather(last), number, "eq");
  }

 private:
  Builder& b_;
  Value x_, indices_, updates_;
  ops::ScatterDims dims_;
  Ints window_;
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
        "y = x with updates written at indices by `kind`: add, set (the last wins), mul, max, min; windows "
        "that do not fit are dropped; dimension numbers as StableHLO",
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
