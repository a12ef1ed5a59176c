#pragma once
// What the rows of composites share: checks for shape rules, and small idioms of decompositions.
#include "base/text.h"
#include "ops/primitives.h"
#include "ops/rows.h"

namespace temper::ops {

// Absent optional inputs at the end are not listed: these count them as absent.
bool has(const InferContext& context, size_t input);
Value input(std::span<const Value> inputs, size_t index);   // none if absent
bool needed(const VjpContext& context, size_t input);       // false if absent
Value cotangent(const VjpContext& context, size_t output);  // none if zero
std::vector<Value> only_needed(const VjpContext& context,
                               std::vector<Value> grads);  // one per input; none where not needed
Value add_present(Builder& b, Value x, Value y);           // either may be none

template <class... Parts>
[[noreturn]] void fail(const InferContext& context, const Parts&... parts) {
  context.fail(temper::concat(parts...));
}

// Checks of a shape rule; each fails with a message that names the input.
const Type& require(const InferContext& context, size_t input, std::string_view name);  // present
const Type& require_float(const InferContext& context, size_t input, std::string_view name);
const Type& require_rank(const InferContext& context, size_t input, std::string_view name, int rank);
const Type& require_type(const InferContext& context, size_t input, std::string_view name,
                         const Type& expected);
const Type& require_key(const InferContext& context, size_t input);  // u32[2]
void require_inputs(const InferContext& context, size_t least, size_t most);
int require_axis(const InferContext& context, int64_t axis, int rank);  // in [0, rank)

// Sums and exponentials of 16-bit floats run in f32.
DType compute_dtype(DType dtype);
Value widen(Builder& b, Value x);  // x in compute_dtype

Ints axes_from(int first, int rank);  // first, first + 1, ..., rank - 1
Ints axes_but(int axis, int rank);    // all but one
Shape with_ones(const Shape& shape, const Ints& axes);
Value keep_axes(Builder& b, Value reduced, const Shape& full,
                const Ints& axes);  // the reduced axes back as 1
Value sum_keep(Builder& b, Value x, const Ints& axes);
Value mean_keep(Builder& b, Value x, const Ints& axes);
Value count(Builder& b, Value x, const Ints& axes,
            DType dtype);  // elements along axes, symbolic ones included
Value along_axis(Builder& b, Value vector, int axis, int rank);  // [c] -> [1, c, 1, 1]

}  // namespace temper::ops
