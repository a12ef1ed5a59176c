// Philox4x32-10 made of integer ops; see base/philox.h for its source.
#include "ops/random.h"

#include "base/philox.h"
#include "ops/composite.h"

namespace temper::ops {

static Value u32(Builder& b, uint32_t value) { return b.scalar(DType::u32, value); }

static Value u32_like(Builder& b, Value like, uint32_t value) {
  return broadcast_to(b, u32(b, value), b.shape(like));
}

namespace {
struct Product {
  Value high, low;  // u32
};
}  // namespace

static Product multiply(Builder& b, Value x, uint32_t factor) {
  const Value product =
      mul(b, convert(b, x, DType::u64), convert(b, u32(b, factor), DType::u64));  // u32 * u32 fits u64
  const Value high = shift_right_logical(b, product, b.scalar(DType::u64, 32));
  return {convert(b, high, DType::u32), convert(b, product, DType::u32)};
}

static Value key_word(Builder& b, Value key, int64_t index) {
  return reshape(b, slice(b, key, {index}, {index + 1}, {1}), {});
}

std::array<Value, 4> philox(Builder& b, const std::array<Value, 4>& counter, Value key) {
  std::array<Value, 4> c = counter;
  Value first_key = key_word(b, key, 0), second_key = key_word(b, key, 1);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    if (round > 0) {
      first_key = add(b, first_key, u32(b, kPhiloxSteps[0]));
      second_key = add(b, second_key, u32(b, kPhiloxSteps[1]));
    }
    const Product first = multiply(b, c[0], kPhiloxMultipliers[0]);
    const Product second = multiply(b, c[2], kPhiloxMultipliers[1]);
    c = {bit_xor(b, bit_xor(b, second.high, c[1]), first_key), second.low,
         bit_xor(b, bit_xor(b, first.high, c[3]), second_key), first.low};
  }
  return c;
}

static Dim elements(const Shape& shape) {
  int64_t factor = 1;
  std::string_view symbol;
  for (const Dim& dim : shape) {
    TEMPER_CHECK(dim.is_static() || symbol.empty(), "random words of shape ", to_string(shape));
    if (!dim.is_static()) symbol = dim.symbol_name();
    factor *= dim.factor();
  }
  return symbol.empty() ? Dim(factor) : Dim(factor, symbol);
}

Value random_bits(Builder& b, Value key, const Shape& shape, Value first) {
  Value index = iota(b, DType::u64, {elements(shape)}, 0);
  if (first) index = add(b, index, first);
  const Value high = shift_right_logical(b, index, b.scalar(DType::u64, 32));
  const Value zero = u32_like(b, index, 0);
  const std::array<Value, 4> counter{convert(b, index, DType::u32), convert(b, high, DType::u32), zero,
                                     u32_like(b, index, kPhiloxBits)};
  return reshape(b, philox(b, counter, key)[0], shape);
}

Value random_uniform(Builder& b, Value key, const Shape& shape) {
  const Value word = shift_right_logical(b, random_bits(b, key, shape), u32(b, 8));
  return mul(b, convert(b, word, DType::f32), 0x1p-24);
}

Value fold_in(Builder& b, Value key, uint64_t data) {
  const std::array<Value, 4> counter{u32(b, static_cast<uint32_t>(data)),
                                     u32(b, static_cast<uint32_t>(data >> 32)), u32(b, 0),
                                     u32(b, kPhiloxFold)};
  const std::array<Value, 4> words = philox(b, counter, key);
  return concat(b, {reshape(b, words[0], {1}), reshape(b, words[1], {1})}, 0);
}

}  // namespace temper::ops
