// Activations, and dropout.
#include <array>
#include <cmath>
#include <random>

#include "formats/onnx/call.h"

namespace temper::onnx {

namespace {

Results relu(Call& c) { return {ops::relu(c.b, c.in(0))}; }
Results sigmoid(Call& c) { return {ops::sigmoid(c.b, c.in(0))}; }
Results tanh(Call& c) { return {ops::tanh(c.b, c.in(0))}; }

Value scaled(Call& c, Value x, double factor) { return ops::mul(c.b, x, splat(c, x, factor)); }
Value negative(Call& c, Value x) { return ops::compare(c.b, x, splat(c, x, 0), "lt"); }
Value positive_part(Call& c, Value x) { return ops::max(c.b, x, splat(c, x, 0)); }
Value negative_part(Call& c, Value x) { return ops::min(c.b, x, splat(c, x, 0)); }

Results leaky_relu(Call& c) {
  const Value x = c.in(0);
  return {ops::select(c.b, negative(c, x), scaled(c, x, c.real("alpha", 0.01)), x)};
}

Results prelu(Call& c) {
  const Value x = c.in(0), slope = broadcast(c, c.in(1), c.b.shape(x));
  return {ops::select(c.b, negative(c, x), ops::mul(c.b, slope, x), x)};
}

Results thresholded_relu(Call& c) {
  const Value x = c.in(0), alpha = splat(c, x, c.real("alpha", 1));
  return {ops::select(c.b, ops::compare(c.b, x, alpha, "gt"), x, splat(c, x, 0))};
}

// expm1 sees no positive numbers, so that neither it nor its gradient overflows.
Value exponential_part(Call& c, Value x, double alpha) {
  return scaled(c, ops::expm1(c.b, negative_part(c, x)), alpha);
}

Results elu(Call& c) {
  const Value x = c.in(0);
  return {ops::add(c.b, positive_part(c, x), exponential_part(c, x, c.real("alpha", 1)))};
}

Results selu(Call& c) {
  const Value x = c.in(0);
  const double alpha = c.real("alpha", 1.67326319217681884765625),
               gamma = c.real("gamma", 1.05070102214813232421875);
  return {scaled(c, ops::add(c.b, positive_part(c, x), exponential_part(c, x, alpha)), gamma)};
}

Results celu(Call& c) {
  const Value x = c.in(0);
  const double alpha = c.real("alpha", 1);
  return {ops::add(c.b, positive_part(c, x), exponential_part(c, scaled(c, x, 1 / alpha), alpha))};
}

Value softplus_of(Call& c, Value x) {
  const Value small = ops::exp(c.b, ops::neg(c.b, ops::abs(c.b, x)));
  return ops::add(c.b, positive_part(c, x), ops::log1p(c.b, small));
}
Results softplus(Call& c) { return {softplus_of(c, c.in(0))}; }
Results mish(Call& c) { return {ops::mul(c.b, c.in(0), ops::tanh(c.b, softplus_of(c, c.in(0))))}; }

Results softsign(Call& c) {
  const Value x = c.in(0);
  return {ops::div(c.b, x, ops::add(c.b, ops::abs(c.b, x), splat(c, x, 1)))};
}

Value hard_sigmoid_of(Call& c, Value x, double alpha, double beta) {
  return ops::clamp(c.b, ops::add(c.b, scaled(c, x, alpha), splat(c, x, beta)), 0, 1);
}
Results hard_sigmoid(Call& c) {
  return {hard_sigmoid_of(c, c.in(0), c.real("alpha", 0.2), c.real("beta", 0.5))};
}
Results hard_swish(Call& c) { return {ops::mul(c.b, c.in(0), hard_sigmoid_of(c, c.in(0), 1.0 / 6, 0.5))}; }

Results swish(Call& c) {
  const Value x = c.in(0);
  const double alpha = c.real("alpha", 1);
  return {ops::mul(c.b, x, ops::sigmoid(c.b, alpha == 1 ? x : scaled(c, x, alpha)))};
}

Results gelu(Call& c) {
  const std::string form = c.word("approximate", "none");
  c.expect(form == "none" || form == "tanh", "attribute approximate is '", form, "', expected none or tanh");
  return {ops::gelu(c.b, c.in(0), form == "tanh")};
}

Results shrink(Call& c) {
  const Value x = c.in(0);
  const double bias = c.real("bias", 0), lambda = c.real("lambd", 0.5);
  const Value zero = splat(c, x, 0), step = splat(c, x, bias);
  const Value below = ops::compare(c.b, x, splat(c, x, -lambda), "lt"),
              above = ops::compare(c.b, x, splat(c, x, lambda), "gt");
  return {
      ops::select(c.b, below, ops::add(c.b, x, step), ops::select(c.b, above, ops::sub(c.b, x, step), zero))};
}

// One limit, spread over x's shape.
Value limit(Call& c, size_t i, Value x) {
  const Value value = c.in(i);  // first, so that a known limit is this value, with its name
  if (const std::optional<double> known = c.known_real(i)) return splat(c, x, *known);
  c.expect(c.b.dtype(value) == c.b.dtype(x), "limit ", c.node.inputs[i], " is ", to_string(c.b.dtype(value)));
  c.expect(c.b.shape(value).rank() == 0 || c.b.shape(value) == Shape{1}, "limit ", c.node.inputs[i],
           " is no scalar");
  return ops::broadcast_to(c.b, ops::reshape(c.b, value, Shape{}), c.b.shape(x));
}

Results clip(Call& c) {
  Value x = c.in(0);
  if (c.has(1)) x = ops::max(c.b, x, limit(c, 1, x));
  if (c.has(2)) x = ops::min(c.b, x, limit(c, 2, x));
  return {x};
}

Results clip_attributes(Call& c) {
  Value x = c.in(0);
  const double low = c.real("min", -INFINITY), high = c.real("max", INFINITY);
  constexpr double kLargest = 3.4028234663852886e38;  // the default limits of old files
  if (low > -kLargest && high < kLargest) return {ops::clamp(c.b, x, low, high)};
  if (low > -kLargest) x = ops::max(c.b, x, splat(c, x, low));
  if (high < kLargest) x = ops::min(c.b, x, splat(c, x, high));
  return {x};
}

// Inference: the identity, marked so that training can drop there. The mask keeps everything.
Results dropout_at(Call& c, double rate) {
  c.ignore({"seed"});
  const Value x = c.in(0);
  Results results{ops::dropout_infer(c.b, x, rate)};
  if (c.wants(1)) {
    const DType mask = c.opset < 10 ? c.b.dtype(x) : DType::boolean;
    results.push_back(ops::full(c.b, {mask, c.b.shape(x)}, 1));
  }
  return results;
}

// The mask that ONNX's reference draws from a seed: NumPy's uniform numbers, of 53 bits each.
Value mask_of_seed(Call& c, const Shape& shape, int64_t seed, double rate) {
  std::mt19937 generator(static_cast<uint32_t>(seed));
  Ints kept(static_cast<size_t>(shape.elements()));
  for (int64_t& each : kept) {
    const uint64_t high = generator() >> 5, low = generator() >> 6;
    each = static_cast<double>((high << 26) + low) * 0x1p-53 >= rate;
  }
  return c.b.constant(from_int64s({DType::boolean, shape}, kept));
}

// A file of training mode that gives a seed asks for that very mask; without a seed it was only exported so.
Results dropout(Call& c) {
  constexpr int64_t kMostDrawn = 1 << 24;
  const double rate = c.has(1) ? c.real(1) : 0.5;
  const bool training = c.has(2) && c.integer(2) != 0 && rate > 0 && rate < 1;
  if (!training) return dropout_at(c, rate);
  const Value x = c.in(0);
  const Shape shape = c.b.shape(x);
  if (c.has("seed") && shape.is_static() && shape.elements() <= kMostDrawn) {
    const Value mask = mask_of_seed(c, shape, c.integer("seed", 0), rate);
    return {ops::select(c.b, mask, scaled(c, x, 1 / (1 - rate)), splat(c, x, 0)), mask};
  }
  c.scope.note(
      temper::concat("dropout '", c.node.name, "' was exported in training mode; it is read for inference"));
  return dropout_at(c, rate);
}
Results dropout_attributes(Call& c) { return dropout_at(c, c.real("ratio", 0.5)); }

constexpr std::array kRows{
    Row{"Relu", 6, kNewest, relu},
    Row{"Sigmoid", 6, kNewest, sigmoid},
    Row{"Tanh", 6, kNewest, tanh},
    Row{"LeakyRelu", 6, kNewest, leaky_relu},
    Row{"PRelu", 7, kNewest, prelu},
    Row{"ThresholdedRelu", 10, kNewest, thresholded_relu},
    Row{"Elu", 6, kNewest, elu},
    Row{"Selu", 6, kNewest, selu},
    Row{"Celu", 12, kNewest, celu},
    Row{"Softplus", 1, kNewest, softplus},
    Row{"Mish", 18, kNewest, mish},
    Row{"Softsign", 1, kNewest, softsign},
    Row{"HardSigmoid", 6, kNewest, hard_sigmoid},
    Row{"HardSwish", 14, kNewest, hard_swish},
    Row{"Swish", 24, kNewest, swish},
    Row{"Gelu", 20, kNewest, gelu},
    Row{"Shrink", 9, kNewest, shrink},
    Row{"Clip", 6, 10, clip_attributes},
    Row{"Clip", 11, kNewest, clip},
    Row{"Dropout", 7, 11, dropout_attributes},
    Row{"Dropout", 12, kNewest, dropout},
};

}  // namespace

std::span<const Row> activation_rows() { return kRows; }

}  // namespace temper::onnx
