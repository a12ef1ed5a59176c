#pragma once
// What gather and scatter share: index vectors along one axis of an integer operand.
#include <algorithm>

#include "ops/map.h"

namespace temper {

// The shape of `indices` without its vector axis, after checking that the vectors have one entry per entry of
// `map`. vector_dim may be the rank: then each index is a vector of one.
Shape index_batch(const InferContext& c, size_t input, int64_t vector_dim, const Ints& map);

class IndexReader {
 public:
  IndexReader(const Array& indices, int64_t vector_dim, const Ints& map);
  void read(const Ints& batch, Ints& place) const;  // sets place[map[k]], leaves the rest

 private:
  const Array& indices_;
  const Ints& map_;
  Ints strides_;  // of the batch axes
  int64_t vector_stride_ = 0;
};

// i64[map.size()]: the highest start along each axis of `map` at which a slice of `sizes` (-1: whole) fits
// into x.
Value last_places(Builder& b, Value x, const Ints& map, const Ints& sizes);

// f(indices, limits spread along every axis of indices but the vector one)
Value along(Builder& b, Value indices, int64_t vector_dim, Value limits, Value (*f)(Builder&, Value, Value));

}  // namespace temper
