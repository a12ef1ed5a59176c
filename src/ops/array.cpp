#include "ops/array.h"

#include <algorithm>
#include <cmath>

namespace temper {

int64_t wrap(DType dtype, int64_t value) {
  if (dtype == DType::boolean) return value != 0;
  const int unused = 64 - bit_width(dtype);
  const auto bits = static_cast<uint64_t>(value) << unused;
  return is_signed(dtype) ? static_cast<int64_t>(bits) >> unused : static_cast<int64_t>(bits >> unused);
}

bool less(DType dtype, int64_t x, int64_t y) {
  return dtype == DType::u64 ? static_cast<uint64_t>(x) < static_cast<uint64_t>(y) : x < y;
}

int64_t lowest_integer(DType dtype) {
  return is_integer(dtype) && is_signed(dtype) ? INT64_MIN >> (64 - bit_width(dtype)) : 0;
}

int64_t highest_integer(DType dtype) {
  if (dtype == DType::boolean) return 1;
  if (dtype == DType::u64) return -1;
  return INT64_MAX >> (64 - bit_width(dtype) - (is_signed(dtype) ? 0 : 1));
}

double integer_to_real(DType dtype, int64_t value) {
  return dtype == DType::u64 ? static_cast<double>(static_cast<uint64_t>(value)) : static_cast<double>(value);
}

int64_t real_to_integer(DType dtype, double value) {
  if (dtype == DType::boolean) return value != 0;
  if (std::isnan(value)) return 0;
  const int digits = bit_width(dtype) - (is_signed(dtype) ? 1 : 0);
  if (value >= std::ldexp(1.0, digits)) return highest_integer(dtype);
  if (value <= integer_to_real(dtype, lowest_integer(dtype))) return lowest_integer(dtype);
  if (dtype == DType::u64) return static_cast<int64_t>(static_cast<uint64_t>(value));
  return static_cast<int64_t>(value);
}

Array make_array(const Type& type) {
  Array array{type, {}, {}};
  const auto elements = static_cast<size_t>(type.shape.elements());
  if (is_float(type.dtype)) {
    array.reals.resize(elements);
  } else {
    array.ints.resize(elements);
  }
  return array;
}

Array scalar_array(DType dtype, double value) {
  Array array = make_array({dtype, {}});
  if (is_float(dtype)) {
    array.reals[0] = value;
  } else {
    array.ints[0] = real_to_integer(dtype, value);
  }
  return array;
}

int64_t count(const Array& array) {
  return static_cast<int64_t>(is_float(array.type.dtype) ? array.reals.size() : array.ints.size());
}

void copy_element(const Array& from, int64_t source, Array& to, int64_t target) {
  if (is_float(from.type.dtype)) {
    to.reals[static_cast<size_t>(target)] = from.reals[static_cast<size_t>(source)];
  } else {
    to.ints[static_cast<size_t>(target)] = from.ints[static_cast<size_t>(source)];
  }
}

Array to_array(const Tensor& tensor) {
  Array array{tensor.type(), {}, {}};
  if (is_float(tensor.dtype())) {
    array.reals = to_doubles(tensor);
  } else {
    array.ints = to_int64s(tensor);
  }
  return array;
}

Tensor to_tensor(const Array& array) {
  if (is_float(array.type.dtype)) return from_doubles(array.type, array.reals);
  return from_int64s(array.type, array.ints);
}

void round_to_dtype(Array& array) {
  if (array.type.dtype == DType::f64) return;
  for (double& value : array.reals) value = round_to(array.type.dtype, value);
}

Ints row_major_strides(const Ints& sizes) {
  Ints strides(sizes.size(), 1);
  for (size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * sizes[i];
  return strides;
}

int64_t offset(const Ints& index, const Ints& strides) {
  int64_t sum = 0;
  for (size_t i = 0; i < index.size(); ++i) sum += index[i] * strides[i];
  return sum;
}

bool inside(const Ints& index, const Ints& sizes) {
  for (size_t i = 0; i < index.size(); ++i) {
    if (index[i] < 0 || index[i] >= sizes[i]) return false;
  }
  return true;
}

Array strided(const Type& type, const Array& x, int64_t base, const Ints& strides) {
  Array out = make_array(type);
  int64_t target = 0;
  for_each_index(type.shape.sizes(),
                 [&](const Ints& index) { copy_element(x, base + offset(index, strides), out, target++); });
  return out;
}

}  // namespace temper
