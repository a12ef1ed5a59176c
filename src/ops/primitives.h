#pragma once
// Emit primitives. Each function appends one node (or returns an equal one) and gives its result.
// Attribute names of the nodes are those of the parameters below. Shapes may hold symbols.
#include "ir/builder.h"

namespace temper::ops {

inline constexpr int64_t kEnd = INT64_MAX;  // slice limit: the end of the axis, whatever its size

// leaf
Value iota(Builder& b, DType dtype, const Shape& shape, int64_t axis);
Value dimension_size(Builder& b, Value x, int64_t axis,
                     DType dtype);  // rank 0; folds once the shape is static

// map, one operand; the type of x unless said. round: half to even. logical_not: bits for integers.
Value abs(Builder& b, Value x);
Value neg(Builder& b, Value x);
Value sign(Builder& b, Value x);
Value exp(Builder& b, Value x);
Value expm1(Builder& b, Value x);
Value log(Builder& b, Value x);
Value log1p(Builder& b, Value x);
Value sqrt(Builder& b, Value x);
Value rsqrt(Builder& b, Value x);
Value sin(Builder& b, Value x);
Value cos(Builder& b, Value x);
Value tanh(Builder& b, Value x);
Value sigmoid(Builder& b, Value x);
Value floor(Builder& b, Value x);
Value ceil(Builder& b, Value x);
Value round(Builder& b, Value x);
Value logical_not(Builder& b, Value x);
Value is_finite(Builder& b, Value x);  // boolean

// map, two operands of one dtype. The node itself wants equal shapes; these functions broadcast like NumPy
// first (static or equal symbolic dimensions). Integer div truncates, rem has the sign of x, both give 0 for
// y = 0; shifts by the width or more give 0 (or the sign). max and min return NaN if either is.
Value add(Builder& b, Value x, Value y);
Value sub(Builder& b, Value x, Value y);
Value mul(Builder& b, Value x, Value y);
Value div(Builder& b, Value x, Value y);
Value rem(Builder& b, Value x, Value y);
Value pow(Builder& b, Value x, Value y);
Value max(Builder& b, Value x, Value y);
Value min(Builder& b, Value x, Value y);
Value bit_and(Builder& b, Value x, Value y);
Value bit_or(Builder& b, Value x, Value y);
Value bit_xor(Builder& b, Value x, Value y);
Value shift_left(Builder& b, Value x, Value y);
Value shift_right_logical(Builder& b, Value x, Value y);
Value shift_right_arithmetic(Builder& b, Value x, Value y);
// y as a scalar of x's dtype
Value add(Builder& b, Value x, double y);
Value sub(Builder& b, Value x, double y);
Value mul(Builder& b, Value x, double y);
Value div(Builder& b, Value x, double y);
Value pow(Builder& b, Value x, double y);
Value max(Builder& b, Value x, double y);
Value min(Builder& b, Value x, double y);

// direction: "eq", "ne", "lt", "le", "gt", "ge"; boolean result; broadcasts as above
Value compare(Builder& b, Value x, Value y, std::string_view direction);
Value select(Builder& b, Value predicate, Value on_true, Value on_false);  // broadcasts as above
// float to integer truncates and saturates, NaN gives 0; integer to integer wraps; anything to boolean is !=
// 0
Value convert(Builder& b, Value x, DType dtype);  // x itself if it has that dtype
Value bitcast(Builder& b, Value x, DType dtype);  // equal widths

// move
Value reshape(Builder& b, Value x,
              const Shape& shape);  // equal products, symbols included; x itself if equal
Value transpose(Builder& b, Value x, const Ints& permutation);
Value broadcast_in_dim(Builder& b, Value x, const Shape& shape,
                       const Ints& axes);                     // axes[i]: where x's axis i goes
Value broadcast_to(Builder& b, Value x, const Shape& shape);  // aligned at the right, as NumPy
Shape broadcast_shapes(const Shape& x, const Shape& y);       // NumPy's; Error invalid if they do not fit
Value slice(Builder& b, Value x, const Ints& starts, const Ints& limits,
            const Ints& strides);  // limit kEnd: to the end
Value pad(Builder& b, Value x, Value value, const Ints& low, const Ints& high,
          const Ints& interior);  // negative low/high crop
Value concat(Builder& b, std::vector<Value> parts, int64_t axis);
Value reverse(Builder& b, Value x, const Ints& axes);

// index: StableHLO's dimension numbers
struct GatherDims {
  Ints offset_dims, collapsed_slice_dims, start_index_map;
  int64_t index_vector_dim = 0;
  Ints slice_sizes;  // -1: the whole (possibly symbolic) axis
};
Value gather(Builder& b, Value x, Value indices, const GatherDims& dims);  // indices are clamped
Value take(Builder& b, Value x, Value indices,
           int64_t axis);  // x's slices along axis, as ONNX Gather (indices >= 0)
struct ScatterDims {
  Ints update_window_dims, inserted_window_dims, scatter_dims_to_operand_dims;
  int64_t index_vector_dim = 0;
};
// kind: "add", "set", "mul", "max", "min"; windows that do not fit are dropped; "set": the last in row-major
// order wins
Value scatter(Builder& b, Value x, Value indices, Value updates, const ScatterDims& dims,
              std::string_view kind);
Value dynamic_slice(Builder& b, Value x, Value starts, const Ints& sizes);  // starts: i64[rank], clamped
Value dynamic_update_slice(Builder& b, Value x, Value update, Value starts);

// reduce. kind: "sum", "prod", "max", "min", "and", "or". The axes vanish from the shape.
Value reduce(Builder& b, Value x, const Ints& axes, std::string_view kind);
Value reduce_sum(Builder& b, Value x, const Ints& axes);
Value reduce_max(Builder& b, Value x, const Ints& axes);
Value reduce_mean(Builder& b, Value x,
                  const Ints& axes);  // sum, then division by the (perhaps symbolic) count
// kind "max" or "min"; ties give the lowest index, or the highest if last; dtype i32 or i64
Value arg_reduce(Builder& b, Value x, int64_t axis, std::string_view kind, DType dtype, bool last = false);
// vectors have one entry per axis; kind as reduce; padding counts as the neutral element
Value reduce_window(Builder& b, Value x, const Ints& window, const Ints& strides, const Ints& low,
                    const Ints& high, const Ints& dilations, std::string_view kind);
// sorts along axis by the first operand, stable, carrying the others; NaN last
std::vector<Value> sort(Builder& b, std::vector<Value> operands, int64_t axis, bool descending);

// contractions; result shape: batch, free axes of x, free axes of y
struct DotDims {
  Ints x_batch, y_batch, x_contract, y_contract;
};
Value dot_general(Builder& b, Value x, Value y, const DotDims& dims);
Value matmul(Builder& b, Value x, Value y);  // as NumPy: [..., m, k] x [..., k, n], batch axes broadcast
// x: [n, c, spatial...], w: [o, c / groups, spatial...], 1 to 3 spatial axes
struct ConvDims {
  Ints strides, low, high, x_dilation, w_dilation;  // one entry per spatial axis
  int64_t groups = 1, batch_groups = 1;
};
Value conv_general(Builder& b, Value x, Value w, const ConvDims& dims);

// control. Regions take their captured values as explicit operands.
std::vector<Value> call(Builder& b, Graph body, std::vector<Value> operands);
// body(carries..., slices of xs..., captured...) -> (carries..., ys...); xs are sliced along axis 0
std::vector<Value> scan(Builder& b, Graph body, std::vector<Value> carries, std::vector<Value> xs,
                        std::vector<Value> captured, int64_t length, bool reverse = false);
std::vector<Value> cond(Builder& b, Value predicate, Graph on_true, Graph on_false,
                        std::vector<Value> operands);
std::vector<Value> while_loop(Builder& b, Graph condition, Graph body, std::vector<Value> carries,
                              std::vector<Value> captured);
// Over all of so many replicas, each of which runs the program.
Value all_reduce(Builder& b, Value x, std::string_view kind, int64_t replicas = 1);
Value barrier(Builder& b, Value x);

// Same-shape helpers
Value zeros(Builder& b, const Type& type);  // a broadcast scalar
Value full(Builder& b, const Type& type, double value);
Value relu(Builder& b, Value x);
Value clamp(Builder& b, Value x, double low, double high);

}  // namespace temper::ops
