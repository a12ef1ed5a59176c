#pragma once
// Emit composites. Logical order is [batch, channels, height, width] and [out, in / groups, height, width].
// Attribute names of the nodes are those of the parameters and struct members below.
#include <limits>

#include "ir/builder.h"

namespace temper::ops {

// Two entries each: height, width. low, high: padding before and after.
struct Conv2d {
  Ints strides{1, 1}, low{0, 0}, high{0, 0}, dilations{1, 1};
  int64_t groups = 1;
};
// y[n, o, i, j] = bias[o] + sum x[n, c, i s - low + k d, ...] w[o, c, k, ...]; bias may be none
Value conv2d(Builder& b, Value x, Value w, Value bias, const Conv2d& attributes);
Value conv_input_grad(Builder& b, Value dy, Value w, const Shape& input_shape, const Conv2d& attributes);
Value conv_weight_grad(Builder& b, Value x, Value dy, const Shape& weight_shape, const Conv2d& attributes);

struct Pool2d {
  Ints window, strides{1, 1}, low{0, 0}, high{0, 0}, dilations{1, 1};
};
Value max_pool(Builder& b, Value x, const Pool2d& attributes);  // padding never wins
Value max_pool_grad(Builder& b, Value x, Value dy,
                    const Pool2d& attributes);  // ties: the first in row-major order
Value avg_pool(Builder& b, Value x, const Pool2d& attributes, bool count_padding);
Value avg_pool_grad(Builder& b, Value dy, const Shape& input_shape, const Pool2d& attributes,
                    bool count_padding);

Value softmax(Builder& b, Value x, int64_t axis);
Value softmax_grad(Builder& b, Value y, Value dy, int64_t axis);  // dx, from the result y
Value log_softmax(Builder& b, Value x, int64_t axis);
// logits [n, classes], labels i64 [n] -> loss [n], at least f32; smoothing s: (1 - s) nll + s mean over
// classes A label outside [0, classes) gives loss 0 and no gradient.
Value cross_entropy(Builder& b, Value logits, Value labels, double smoothing);
Value cross_entropy_grad(Builder& b, Value logits, Value labels, Value dloss,
                         double smoothing);  // [n, classes]

// Normalises over axes [axis, rank); scale and bias have those axes' shape, bias may be none.
struct LayerNormResult {
  Value y, mean, rstd;
};  // mean, rstd: x's shape with the normalised axes 1; at least f32
LayerNormResult layer_norm(Builder& b, Value x, Value scale, Value bias, int64_t axis, double epsilon);
struct LayerNormGrads {
  Value dx, dscale, dbias;
};
LayerNormGrads layer_norm_grad(Builder& b, Value x, Value scale, Value mean, Value rstd, Value dy,
                               int64_t axis);
Value rms_norm(Builder& b, Value x, Value scale, int64_t axis, double epsilon);

// Channel axis 1, any rank >= 2; scale, bias, mean, variance: [channels]. momentum is only carried: the share
// of the old running statistics kept in training.
Value batch_norm_infer(Builder& b, Value x, Value scale, Value bias, Value mean, Value variance,
                       double epsilon, double momentum);
struct BatchNormResult {
  Value y, mean, variance;
};  // of this batch; biased variance
BatchNormResult batch_norm_train(Builder& b, Value x, Value scale, Value bias, double epsilon);
struct BatchNormGrads {
  Value dx, dscale, dbias;
};
BatchNormGrads batch_norm_grad(Builder& b, Value x, Value scale, Value mean, Value variance, Value dy,
                               double epsilon);

// y = clamp(batch_norm_train(x) + addend, low, high); addend may be none.
struct NormActivation {
  double epsilon = 0;
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
};
BatchNormResult batch_norm_act_train(Builder& b, Value x, Value scale, Value bias, Value addend,
                                     const NormActivation& attributes);
// gated = dy where low < y < high, else 0: the gradient of what was clamped, and of the addend. y may be none
// if there was no addend: it is computed again from x then.
struct BatchNormActGrads {
  Value dx, dscale, dbias, gated;
};
BatchNormActGrads batch_norm_act_grad(Builder& b, Value x, Value scale, Value bias, Value mean,
                                      Value variance, Value dy, Value y, const NormActivation& attributes);
// y of batch_norm_act_train with statistics that are known; addend may be none.
Value batch_norm_act_infer(Builder& b, Value x, Value scale, Value bias, Value mean, Value variance,
                           Value addend, const NormActivation& attributes);
// dx of batch_norm_act_grad (one without an addend), with the other gradients known; count: elements of a
// channel in the whole batch.
Value batch_norm_act_input_grad(Builder& b, Value x, Value scale, Value bias, Value mean, Value variance,
                                Value dy, Value dscale, Value dbias, int64_t count,
                                const NormActivation& attributes);

Value erf(Builder& b, Value x);
Value gelu(Builder& b, Value x, bool approximate);                 // approximate: the tanh form
Value gelu_grad(Builder& b, Value x, Value dy, bool approximate);  // dx
// y = x * keep / (1 - rate); keep = random_bits(fold_in(key, stream))[element] >= floor(rate 2^32); 0 <= rate
// < 1
Value dropout(Builder& b, Value x, Value key, double rate, int64_t stream);  // key: u32[2]
// The same of a part of a tensor whose first element has the index `first` (u64) in the whole.
Value dropout_of_part(Builder& b, Value x, Value key, Value first, double rate, int64_t stream);
Value dropout_infer(Builder& b, Value x, double rate);  // y = x; marks where training drops
Value embedding(Builder& b, Value table, Value ids);    // table [rows, width], ids [...] -> [..., width]

// Interpolation along every axis by `scales`; the ONNX Resize rules and words.
struct Resize {
  Ints sizes;                              // result shape; -1: the axis keeps its (possibly symbolic) size
  Reals scales;                            // result / input, one per axis
  std::string mode = "nearest";            // nearest, linear, cubic
  std::string coordinates = "half_pixel";  // half_pixel, half_pixel_symmetric, pytorch_half_pixel,
                                           // align_corners, asymmetric, tf_crop_and_resize
  std::string nearest = "round_prefer_floor";  // round_prefer_floor, round_prefer_ceil, floor, ceil
  double cubic_a = -0.75;
  bool exclude_outside = false, antialias = false;
  Reals roi;  // starts then ends, for tf_crop_and_resize
  double extrapolation = 0;
};
Value resize(Builder& b, Value x, const Resize& attributes);

// Integers for real numbers. scale, zero (which may be none: 0): one number; or a vector along `axis`; or one
// for each element. zero has the integers' dtype. dtype may also be an 8-bit float, which has no zero.
struct Quantization {
  DType dtype = DType::u8;             // of the integers
  int64_t axis = 0;                    // which numbers share a scale, where there are several
  std::string rounding = "half_even";  // or half_up
};
Value quantize(Builder& b, Value x, Value scale, Value zero,
               const Quantization& attributes);  // round(x / scale) + zero, saturating
Value dequantize(Builder& b, Value x, Value scale, Value zero, int64_t axis = 0);  // (x - zero) scale

// Randomness: keys are u32[2]. Philox4x32-10 made of integer ops.
Value fold_in(Builder& b, Value key, uint64_t data);  // a new key
// u32, static shape. first: the index of the first element, u64; none: 0.
Value random_bits(Builder& b, Value key, const Shape& shape, Value first = {});
Value random_uniform(Builder& b, Value key, const Shape& shape);  // f32 in [0, 1)

// body(parts of cut..., captured...) -> (joined along axis 0..., added up...): `joined` results of the former
// kind
std::vector<Value> in_parts(Builder& b, Graph body, std::vector<Value> cut, std::vector<Value> captured,
                            int64_t joined, int64_t parts);

}  // namespace temper::ops
