#include "ops/indexing.h"

namespace temper {

Shape index_batch(const InferContext& c, size_t input, int64_t vector_dim, const Ints& map) {
  expect_dtype(c, input, is_arithmetic_integer, "integers");
  const Shape& shape = c.inputs[input].shape;
  if (vector_dim < 0 || vector_dim > shape.rank())
    c.fail(concat("index_vector_dim ", vector_dim, " is no axis of ", to_string(c.inputs[input])));
  const auto vector = static_cast<int>(vector_dim);
  const Dim entries = vector == shape.rank() ? Dim(1) : shape[vector];
  if (entries != Dim(static_cast<int64_t>(map.size())))
    c.fail(
        concat("the index vectors of ", to_string(c.inputs[input]), " must have ", map.size(), " entries"));
  Shape batch;
  for (int i = 0; i < shape.rank(); ++i) {
    if (i != vector) batch.push_back(shape[i]);
  }
  return batch;
}

IndexReader::IndexReader(const Array& indices, int64_t vector_dim, const Ints& map)
    : indices_(indices), map_(map) {
  strides_ = row_major_strides(indices.type.shape.sizes());
  const auto vector = static_cast<size_t>(vector_dim);
  if (vector == strides_.size()) return;
  vector_stride_ = strides_[vector];
  strides_.erase(strides_.begin() + vector_dim);
}

// More than any axis holds, and a window's offset can be added.
static constexpr int64_t kBeyond = int64_t{1} << 62;

void IndexReader::read(const Ints& batch, Ints& place) const {
  const int64_t base = offset(batch, strides_);
  for (size_t k = 0; k < map_.size(); ++k) {
    const int64_t index = indices_.ints[static_cast<size_t>(base + static_cast<int64_t>(k) * vector_stride_)];
    const bool beyond = indices_.type.dtype == DType::u64 && index < 0;
    place[static_cast<size_t>(map_[k])] = beyond ? kBeyond : std::clamp(index, -kBeyond, kBeyond);
  }
}

Value last_places(Builder& b, Value x, const Ints& map, const Ints& sizes) {
  const Shape shape = b.shape(x);
  std::vector<Value> places;
  for (int64_t axis : map) {
    const int64_t size = sizes[static_cast<size_t>(axis)];
    const Value extent = shape[static_cast<int>(axis)].is_static()
                             ? b.scalar(DType::i64, static_cast<double>(shape.size(static_cast<int>(axis))))
                             : ops::dimension_size(b, x, axis, DType::i64);
    const Value last = size < 0 ? b.scalar(DType::i64, 0) : ops::sub(b, extent, static_cast<double>(size));
    places.push_back(ops::reshape(b, last, {1}));
  }
  return places.empty() ? ops::zeros(b, i64({0})) : ops::concat(b, places, 0);
}

Value along(Builder& b, Value indices, int64_t vector_dim, Value limits, Value (*f)(Builder&, Value, Value)) {
  const Shape shape = b.shape(indices);
  const Value spread = vector_dim == shape.rank() ? ops::broadcast_to(b, ops::reshape(b, limits, {}), shape)
                                                  : ops::broadcast_in_dim(b, limits, shape, {vector_dim});
  return f(b, indices, spread);
}

}  // namespace temper
