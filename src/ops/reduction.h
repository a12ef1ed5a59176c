#pragma once
// The six ways to fold many elements into one: "sum", "prod", "max", "min", "and", "or".
#include "ops/array.h"
#include "ops/composite.h"
#include "ops/samples.h"
#include "ops/shape_rules.h"

namespace temper {

struct Reduction {
  std::string_view kind;
  double neutral;  // for floats
  double (*fold)(double, double);
  int64_t (*neutral_integer)(DType);
  int64_t (*fold_integers)(DType, int64_t, int64_t);
};

const Reduction& reduction(std::string_view kind);
// The attribute `kind`, checked against the dtype of operand 0.
const Reduction& infer_reduction(const InferContext& c);

Array neutral_array(const Reduction& reduction, const Type& type);
void fold_element(const Reduction& reduction, const Array& from, int64_t source, Array& into, int64_t target);

// The same as graph.
Value neutral(Builder& b, const Reduction& reduction, DType dtype);  // rank 0
Value combine(Builder& b, const Reduction& reduction, Value x, Value y);

// d product / d x, where `zeros` counts the zeros of the product and `rest` is the product of the others:
// both broadcast to x, so that a single zero still has its gradient.
Value product_slope(Builder& b, Value x, Value zeros, Value rest);
Value is_zero(Builder& b, Value x);         // 1 or 0, in x's dtype
Value ones_for_zeros(Builder& b, Value x);  // x, but 1 where it is 0

}  // namespace temper
