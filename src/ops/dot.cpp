// The contraction of two operands.
#include <algorithm>

#include "ops/map.h"

namespace temper {
namespace {

struct Free {
  Ints x, y;
};

ops::DotDims dims_of(const Attributes& attributes) {
  return {attributes.get<Ints>("x_batch"), attributes.get<Ints>("y_batch"),
          attributes.get<Ints>("x_contract"), attributes.get<Ints>("y_contract")};
}

Ints join_axes(const Ints& a, const Ints& b) {
  Ints both = a;
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

Free free_axes(const ops::DotDims& dims, int x_rank, int y_rank) {
  return {other_axes(x_rank, join_axes(dims.x_batch, dims.x_contract)),
          other_axes(y_rank, join_axes(dims.y_batch, dims.y_contract))};
}

void expect_matching(const InferContext& c, std::string_view what, const Ints& x_axes, const Ints& y_axes) {
  bool match = x_axes.size() == y_axes.size();
  for (size_t i = 0; match && i < x_axes.size(); ++i)
    match = c.inputs[0].shape[static_cast<int>(x_axes[i])] == c.inputs[1].shape[static_cast<int>(y_axes[i])];
  if (!match)
    c.fail(concat(what, " axes [", join(x_axes, ", "), "] of ", to_string(c.inputs[0]), " do not match [",
                  join(y_axes, ", "), "] of ", to_string(c.inputs[1])));
}

std::vector<Type> infer_dot(const InferContext& c) {
  expect_inputs(c, 2);
  expect_equal_dtypes(c, 0, 1);
  expect_dtype(c, 0, is_arithmetic, "numbers");
  const Shape &x = c.inputs[0].shape, &y = c.inputs[1].shape;
  const ops::DotDims dims{axes_attribute(c, "x_batch", x.rank()), axes_attribute(c, "y_batch", y.rank()),
                          axes_attribute(c, "x_contract", x.rank()),
                          axes_attribute(c, "y_contract", y.rank())};
  for (int64_t axis : dims.x_batch) {
    if (contains(dims.x_contract, axis)) c.fail(concat("axis ", axis, " of x is both batch and contracted"));
  }
  for (int64_t axis : dims.y_batch) {
    if (contains(dims.y_contract, axis)) c.fail(concat("axis ", axis, " of y is both batch and contracted"));
  }
  expect_matching(c, "batch", dims.x_batch, dims.y_batch);
  expect_matching(c, "contracted", dims.x_contract, dims.y_contract);
  const Free free = free_axes(dims, x.rank(), y.rank());
  Shape shape;
  for (int64_t axis : join_axes(dims.x_batch, free.x)) shape.push_back(x[static_cast<int>(axis)]);
  for (int64_t axis : free.y) shape.push_back(y[static_cast<int>(axis)]);
  return {{result_attribute(c, c.inputs[0].dtype), shape}};
}

// x with its axes in the given order.
Array ordered(const Array& x, const Ints& axes) {
  const Ints strides = row_major_strides(x.type.shape.sizes());
  Type type{x.type.dtype, {}};
  Ints moved;
  for (int64_t axis : axes) {
    type.shape.push_back(x.type.shape[static_cast<int>(axis)]);
    moved.push_back(strides[static_cast<size_t>(axis)]);
  }
  return strided(type, x, 0, moved);
}

int64_t size_of(const Array& x, const Ints& axes) {
  int64_t product = 1;
  for (int64_t axis : axes) product *= x.type.shape.size(static_cast<int>(axis));
  return product;
}

template <class Number>
void multiply(const std::vector<Number>& x, const std::vector<Number>& y, std::vector<Number>& z,
              size_t batch, size_t rows, size_t columns, size_t inner) {
  for (size_t row = 0; row < batch * rows; ++row) {
    for (size_t column = 0; column < columns; ++column) {
      const Number* left = &x[row * inner];
      const Number* right = &y[(row / rows * columns + column) * inner];
      Number sum = 0;
      for (size_t k = 0; k < inner; ++k) sum += left[k] * right[k];
      z[row * columns + column] = sum;
    }
  }
}

std::vector<Array> evaluate_dot(const EvaluateContext& c) {
  const ops::DotDims dims = dims_of(c.node.attributes);
  const Array &x = *c.inputs[0], &y = *c.inputs[1];
  const Free free = free_axes(dims, x.type.shape.rank(), y.type.shape.rank());
  // left: [batch, rows, inner], right: [batch, columns, inner]
  const Array left = ordered(x, join_axes(join_axes(dims.x_batch, free.x), dims.x_contract));
  const Array right = ordered(y, join_axes(join_axes(dims.y_batch, free.y), dims.y_contract));
  const auto batch = static_cast<size_t>(size_of(x, dims.x_batch)),
             rows = static_cast<size_t>(size_of(x, free.x)),
             columns = static_cast<size_t>(size_of(y, free.y)),
             inner = static_cast<size_t>(size_of(x, dims.x_contract));
  Array z = make_array(c.outputs[0]);
  if (inner == 0 || count(z) == 0) return {std::move(z)};
  if (is_float(z.type.dtype)) {
    multiply(left.reals, right.reals, z.reals, batch, rows, columns, inner);
    return {std::move(z)};
  }
  std::vector<uint64_t> sums(z.ints.size());  // unsigned: wraps without overflow
  multiply(std::vector<uint64_t>(left.ints.begin(), left.ints.end()),
           std::vector<uint64_t>(right.ints.begin(), right.ints.end()), sums, batch, rows, columns, inner);
  for (size_t i = 0; i < sums.size(); ++i) z.ints[i] = wrap(z.type.dtype, static_cast<int64_t>(sums[i]));
  return {std::move(z)};
}

// The gradient of the operand with `own` axes: dz contracted with the other operand along the latter's free
// axes.
struct Side {
  Ints batch, contract, free;
};

Value gradient_of(Builder& b, Value dz, Value other, const Side& own, const Side& others,
                  const Ints& others_in_dz) {
  const Ints batch_in_dz = range(0, static_cast<int64_t>(own.batch.size()));
  const Value product =
      ops::dot_general(b, dz, other, {batch_in_dz, others.batch, others_in_dz, others.free});
  // product: [batch, own free, own contracted in the order of the other's axes]
  Ints contracted = others.contract;
  std::sort(contracted.begin(), contracted.end());
  Ints axes = join_axes(own.batch, own.free);
  for (int64_t axis : contracted) {
    const auto at = std::find(others.contract.begin(), others.contract.end(), axis) - others.contract.begin();
    axes.push_back(own.contract[static_cast<size_t>(at)]);
  }
  Ints permutation(axes.size());
  for (size_t i = 0; i < axes.size(); ++i)
    permutation[static_cast<size_t>(axes[i])] = static_cast<int64_t>(i);
  return ops::transpose(b, product, permutation);
}

std::vector<Value> vjp_dot(Builder& b, const VjpContext& c) {
  const ops::DotDims dims = dims_of(c.node.attributes);
  const Free free = free_axes(dims, b.shape(c.inputs[0]).rank(), b.shape(c.inputs[1]).rank());
  const Side x{dims.x_batch, dims.x_contract, free.x}, y{dims.y_batch, dims.y_contract, free.y};
  const auto batch = static_cast<int64_t>(dims.x_batch.size()), rows = static_cast<int64_t>(free.x.size());
  const Ints x_in_dz = range(batch, batch + rows),
             y_in_dz = range(batch + rows, batch + rows + static_cast<int64_t>(free.y.size()));
  const Value dz = ops::convert(b, c.cotangents[0], b.dtype(c.inputs[0]));
  return {ops::needed(c, 0) ? gradient_of(b, dz, c.inputs[1], x, y, y_in_dz) : Value{},
          ops::needed(c, 1) ? gradient_of(b, dz, c.inputs[0], y, x, x_in_dz) : Value{}};
}

Sample dot_sample(const Type& x, const Type& y, const ops::DotDims& dims) {
  return {.name = concat(to_string(x), " ", to_string(y), " over ", join(dims.x_contract, " ")),
          .inputs = {x, y},
          .attributes = {{"x_batch", dims.x_batch},
                         {"x_contract", dims.x_contract},
                         {"y_batch", dims.y_batch},
                         {"y_contract", dims.y_contract}},
          .fills = {is_float(x.dtype) ? Fill{} : integers(-9, 9)}};
}

Sample widening(Sample sample) {
  sample.name += " in f32";
  sample.attributes.set("result", DType::f32);
  return sample;
}

std::vector<Sample> dot_samples() {
  return {dot_sample(f32({3, 4}), f32({4, 5}), {{}, {}, {1}, {0}}),
          dot_sample(f32({4, 3}), f32({5, 4}), {{}, {}, {0}, {1}}),
          dot_sample(f32({3, 4}), f32({5, 4}), {{}, {}, {1}, {1}}),
          dot_sample(f32({4, 3}), f32({4, 5}), {{}, {}, {0}, {0}}),
          dot_sample(f32({2, 3, 4}), f32({2, 4, 5}), {{0}, {0}, {2}, {1}}),
          dot_sample(f32({3, 2, 4}), f32({5, 4, 2}), {{1}, {2}, {2}, {1}}),
          dot_sample(f32({2, 3, 4, 5}), f32({3, 2, 6, 4}), {{0, 1}, {1, 0}, {2}, {3}}),
          dot_sample(f32({2, 3, 4}), f32({4, 3, 5}), {{}, {}, {1, 2}, {1, 0}}),
          dot_sample(f32({2, 3, 4}), f32({4, 5}), {{}, {}, {2}, {0}}),
          dot_sample(f32({4}), f32({4}), {{}, {}, {0}, {0}}),
          dot_sample(f32({}), f32({3}), {{}, {}, {}, {}}),
          dot_sample(f32({3}), f32({2}), {{}, {}, {}, {}}),
          dot_sample(f32({3, 0}), f32({0, 2}), {{}, {}, {1}, {0}}),
          dot_sample(f32({0, 3}), f32({3, 2}), {{}, {}, {1}, {0}}),
          dot_sample(f32({33, 65}), f32({65, 17}), {{}, {}, {1}, {0}}),
          dot_sample(f64({3, 4}), f64({4, 5}), {{}, {}, {1}, {0}}),
          dot_sample(f16({3, 4}), f16({4, 5}), {{}, {}, {1}, {0}}),
          dot_sample(bf16({3, 4}), bf16({4, 5}), {{}, {}, {1}, {0}}),
          widening(dot_sample(f16({3, 4}), f16({4, 5}), {{}, {}, {1}, {0}})),
          widening(dot_sample(bf16({3, 4}), bf16({4, 5}), {{}, {}, {1}, {0}})),
          widening(dot_sample(bf16({33, 65}), bf16({17, 65}), {{}, {}, {1}, {1}})),
          dot_sample(i32({3, 4}), i32({4, 5}), {{}, {}, {1}, {0}}),
          dot_sample(i64({2, 3, 4}), i64({2, 4, 5}), {{0}, {0}, {2}, {1}}),
          dot_sample(u8({3, 4}), u8({4, 5}), {{}, {}, {1}, {0}})};
}

}  // namespace

const Op dot_general_op{
    .name = "dot_general",
    .summary =
        "z = sum of x y over `x_contract` and `y_contract`; axes: batch, x's free, y's free; "
        "`result` may widen its dtype",
    .infer = infer_dot,
    .evaluate = evaluate_dot,
    .vjp = vjp_dot,
    .samples = dot_samples};

namespace ops {

Value dot_general(Builder& b, Value x, Value y, const DotDims& dims) {
  return b.emit(dot_general_op, {x, y},
                {{"x_batch", dims.x_batch},
                 {"x_contract", dims.x_contract},
                 {"y_batch", dims.y_batch},
                 {"y_contract", dims.y_contract}});
}

static Shape batch_shape(const Shape& shape) {
  Shape batch;
  for (int i = 0; i < shape.rank() - 2; ++i) batch.push_back(shape[i]);
  return batch;
}

static Value with_batch(Builder& b, Value x, const Shape& batch) {
  const Shape shape = b.shape(x);
  Shape wanted = batch;
  for (int i = shape.rank() - 2; i < shape.rank(); ++i) wanted.push_back(shape[i]);
  return broadcast_to(b, x, wanted);
}

Value matmul(Builder& b, Value x, Value y) {
  const Shape left = b.shape(x), right = b.shape(y);
  if (left.rank() == 0 || right.rank() == 0)
    throw Error(ErrorKind::invalid, temper::concat("matmul: expected operands of rank 1 or more, found ",
                                                   to_string(left), " and ", to_string(right)));
  if (left.rank() == 1) {  // [k] as [1, k]; the 1 vanishes again
    const Value row = matmul(b, reshape(b, x, {1, left[0]}), y);
    Shape shape = b.shape(row);
    const int vanishing = right.rank() == 1 ? -1 : shape.rank() - 2;
    if (vanishing < 0) return reshape(b, row, {});
    std::vector<Dim> dims = shape.dims();
    dims.erase(dims.begin() + vanishing);
    return reshape(b, row, Shape(dims));
  }
  if (right.rank() <= 2) return dot_general(b, x, y, {{}, {}, {left.rank() - 1}, {0}});
  const Shape batch = broadcast_shapes(batch_shape(left), batch_shape(right));
  const Ints axes = range(0, batch.rank());
  return dot_general(b, with_batch(b, x, batch), with_batch(b, y, batch),
                     {axes, axes, {batch.rank() + 1}, {batch.rank()}});
}

}  // namespace ops
}  // namespace temper
