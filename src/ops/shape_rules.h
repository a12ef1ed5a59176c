#pragma once
// What shape rules share. Every failed expectation is Error invalid, "op: what was expected and found".
#include "ir/op.h"

namespace temper {

// Arithmetic is defined on these; every other dtype is for storage: it can be moved and converted.
constexpr bool is_arithmetic_float(DType d) { return d >= DType::f16; }
constexpr bool is_arithmetic_integer(DType d) { return d >= DType::i8 && d <= DType::u64; }
constexpr bool is_arithmetic(DType d) { return is_arithmetic_float(d) || is_arithmetic_integer(d); }
constexpr bool is_bits(DType d) { return d == DType::boolean || is_arithmetic_integer(d); }
constexpr bool is_any(DType) { return true; }

void expect_inputs(const InferContext& c, size_t count);  // exactly so many, all present
void expect_regions(const InferContext& c, size_t count);
void expect_dtype(const InferContext& c, size_t input, bool (*accepts)(DType), std::string_view wanted);
void expect_equal_types(const InferContext& c, size_t first, size_t second);
void expect_equal_dtypes(const InferContext& c, size_t first, size_t second);
void expect_entries(const InferContext& c, std::string_view name, const Ints& values, int64_t count);

// An attribute that names an axis, or several different ones, of a value of `rank`.
int axis_attribute(const InferContext& c, std::string_view name, int rank);
Ints axes_attribute(const InferContext& c, std::string_view name, int rank);
// One entry per axis, each at least `least`.
Ints sizes_attribute(const InferContext& c, std::string_view name, int64_t count, int64_t least);
// Of a contraction: `result` where it has that attribute (f32, of 16-bit floats), else the operands' dtype.
DType result_attribute(const InferContext& c, DType operands);
// One of `words`.
const std::string& word_attribute(const InferContext& c, std::string_view name,
                                  std::initializer_list<std::string_view> words);

bool equal_products(const Shape& a, const Shape& b);  // symbols compared as names
// Of dimensions with at most one symbol among them; none if there are more or it overflows.
std::optional<Dim> product(std::span<const Dim> dims);
std::optional<Dim> sum(const Dim& a, const Dim& b);
std::optional<Dim> quotient(const Dim& dim, int64_t divisor);  // none unless it divides the constant part
bool is_one(const Dim& dim);

// A window that slides along one axis.
struct WindowAxis {
  int64_t size = 1, stride = 1, low = 0, high = 0, base_dilation = 1, dilation = 1;
};
// The number of positions. A symbolic dimension must come out as a multiple of its symbol.
Dim window_positions(const InferContext& c, const Dim& dim, const WindowAxis& window);
int64_t dilated(int64_t size, int64_t dilation);  // 0 stays 0; at most 2^50

// The rest of the axes, ascending.
Ints other_axes(int rank, const Ints& axes);
bool contains(const Ints& values, int64_t value);
Ints range(int64_t begin, int64_t end);

}  // namespace temper
