#pragma once
// Arithmetic on Array, the evaluator's tensor: floats as double, the rest as int64 wrapped to the dtype.
#include "ir/op.h"

namespace temper {

int64_t wrap(DType dtype, int64_t value);      // two's complement; boolean: value != 0
bool less(DType dtype, int64_t x, int64_t y);  // u64 compares by its bits
int64_t lowest_integer(DType dtype);           // boolean: 0
int64_t highest_integer(DType dtype);          // boolean: 1; u64: its bits
double integer_to_real(DType dtype, int64_t value);
int64_t real_to_integer(DType dtype, double value);  // truncates and saturates; NaN gives 0; boolean: != 0

Array make_array(const Type& type);  // zeros; `type` is static
Array scalar_array(DType dtype, double value);
int64_t count(const Array& array);
void copy_element(const Array& from, int64_t source, Array& to, int64_t target);  // of equal dtypes

// An exchange of equal dtypes only: to_tensor rounds floats to the dtype, once.
Array to_array(const Tensor& tensor);
Tensor to_tensor(const Array& array);
void round_to_dtype(Array& array);

Ints row_major_strides(const Ints& sizes);  // in elements
int64_t offset(const Ints& index, const Ints& strides);
bool inside(const Ints& index, const Ints& sizes);

// out[index] = x[base + sum index[k] * strides[k]] for every index of `type`.
Array strided(const Type& type, const Array& x, int64_t base, const Ints& strides);

// Calls f(index) for every index of the box, in row-major order.
template <class F>
void for_each_index(const Ints& sizes, const F& f) {
  for (int64_t size : sizes) {
    if (size <= 0) return;
  }
  Ints index(sizes.size(), 0);
  for (;;) {
    f(std::as_const(index));
    size_t axis = sizes.size();
    while (axis > 0 && ++index[axis - 1] == sizes[axis - 1]) index[--axis] = 0;
    if (axis == 0) return;
  }
}

}  // namespace temper
