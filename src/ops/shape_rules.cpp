#include "ops/shape_rules.h"

#include <algorithm>
#include <set>

namespace temper {

// Bounds what shape rules compute with, so that sums and products of a few numbers cannot overflow.
static constexpr int64_t kTooLong = int64_t{1} << 50;

void expect_inputs(const InferContext& c, size_t count) {
  if (c.inputs.size() != count) c.fail(concat("expected ", count, " operands, found ", c.inputs.size()));
  for (size_t i = 0; i < count; ++i) {
    if (!c.present[i]) c.fail(concat("operand ", i, " is absent"));
  }
}

void expect_regions(const InferContext& c, size_t count) {
  if (c.regions.size() != count) c.fail(concat("expected ", count, " regions, found ", c.regions.size()));
}

void expect_dtype(const InferContext& c, size_t input, bool (*accepts)(DType), std::string_view wanted) {
  if (accepts(c.inputs[input].dtype)) return;
  c.fail(concat("operand ", input, " must be ", wanted, ", found ", to_string(c.inputs[input])));
}

void expect_equal_types(const InferContext& c, size_t first, size_t second) {
  if (c.inputs[first] == c.inputs[second]) return;
  c.fail(concat("operands ", first, " and ", second, " must have one type, found ",
                to_string(c.inputs[first]), " and ", to_string(c.inputs[second])));
}

void expect_equal_dtypes(const InferContext& c, size_t first, size_t second) {
  if (c.inputs[first].dtype == c.inputs[second].dtype) return;
  c.fail(concat("operands ", first, " and ", second, " must have one dtype, found ",
                to_string(c.inputs[first]), " and ", to_string(c.inputs[second])));
}

void expect_entries(const InferContext& c, std::string_view name, const Ints& values, int64_t count) {
  if (static_cast<int64_t>(values.size()) == count) return;
  c.fail(concat(name, " must have ", count, " entries, found [", join(values, ", "), "]"));
}

int axis_attribute(const InferContext& c, std::string_view name, int rank) {
  const auto axis = c.attributes.get<int64_t>(name);
  if (axis < 0 || axis >= rank) c.fail(concat(name, " ", axis, " is no axis of a value of rank ", rank));
  return static_cast<int>(axis);
}

Ints axes_attribute(const InferContext& c, std::string_view name, int rank) {
  const Ints& axes = c.attributes.get<Ints>(name);
  std::set<int64_t> seen;
  for (int64_t axis : axes) {
    if (axis < 0 || axis >= rank || !seen.insert(axis).second)
      c.fail(concat(name, " must be different axes of a value of rank ", rank, ", found [", join(axes, ", "),
                    "]"));
  }
  return axes;
}

Ints sizes_attribute(const InferContext& c, std::string_view name, int64_t count, int64_t least) {
  constexpr int64_t kLimit = int64_t{1} << 40;
  const Ints& values = c.attributes.get<Ints>(name);
  expect_entries(c, name, values, count);
  for (int64_t value : values) {
    if (value < least || value > kLimit)
      c.fail(
          concat(name, " must be at least ", least, " and at most 2^40, found [", join(values, ", "), "]"));
  }
  return values;
}

DType result_attribute(const InferContext& c, DType operands) {
  const auto result = c.attributes.get_or<DType>("result", operands);
  const bool widens = is_arithmetic_float(operands) && bit_width(operands) == 16 && result == DType::f32;
  if (result != operands && !widens)
    c.fail(concat("operands of ", to_string(operands), " cannot give a result of ", to_string(result)));
  return result;
}

const std::string& word_attribute(const InferContext& c, std::string_view name,
                                  std::initializer_list<std::string_view> words) {
  const auto& word = c.attributes.get<std::string>(name);
  if (std::find(words.begin(), words.end(), word) == words.end())
    c.fail(concat(name, " must be one of ", join(words, ", "), ", found ", word));
  return word;
}

namespace {

// A product in which the symbols are kept apart: 6 * N * N.
struct Monomial {
  bool overflow = false;
  int64_t factor = 1;
  std::multiset<std::string_view> symbols;
};

Monomial monomial(std::span<const Dim> dims) {
  Monomial result;
  for (const Dim& dim : dims) {
    result.overflow |= __builtin_mul_overflow(result.factor, dim.factor(), &result.factor);
    if (!dim.is_static()) result.symbols.insert(dim.symbol_name());
  }
  const auto zero = std::any_of(dims.begin(), dims.end(), [](const Dim& dim) { return dim == Dim(0); });
  return zero ? Monomial{false, 0, {}} : result;
}

}  // namespace

bool equal_products(const Shape& a, const Shape& b) {
  const Monomial x = monomial(a.dims()), y = monomial(b.dims());
  return !x.overflow && !y.overflow && x.factor == y.factor && x.symbols == y.symbols;
}

std::optional<Dim> product(std::span<const Dim> dims) {
  const Monomial result = monomial(dims);
  if (result.overflow || result.symbols.size() > 1) return {};
  return result.symbols.empty() ? Dim(result.factor) : Dim(result.factor, *result.symbols.begin());
}

std::optional<Dim> sum(const Dim& a, const Dim& b) {
  if (a == Dim(0)) return b;
  if (b == Dim(0)) return a;
  int64_t factor = 0;
  if (a.symbol_name() != b.symbol_name() || __builtin_add_overflow(a.factor(), b.factor(), &factor))
    return {};
  return a.is_static() ? Dim(factor) : Dim(factor, a.symbol_name());
}

std::optional<Dim> quotient(const Dim& dim, int64_t divisor) {
  if (divisor < 1 || dim.factor() % divisor != 0) return {};
  return dim.is_static() ? Dim(dim.factor() / divisor) : Dim(dim.factor() / divisor, dim.symbol_name());
}

bool is_one(const Dim& dim) { return dim == Dim(1); }

int64_t dilated(int64_t size, int64_t dilation) {
  int64_t steps = 0;
  if (size <= 0) return 0;
  if (__builtin_mul_overflow(size - 1, dilation, &steps) || steps > kTooLong) return kTooLong;
  return steps + 1;
}

Dim window_positions(const InferContext& c, const Dim& dim, const WindowAxis& window) {
  const int64_t reach = dilated(window.size, window.dilation);
  const int64_t padding = window.low + window.high;
  if (!dim.is_static()) {  // spread f N + padding - reach, divided by the stride and rounded down, plus one
    const std::optional<Dim> spread = product(std::vector<Dim>{dim, window.base_dilation});
    const std::optional<Dim> steps = spread ? quotient(*spread, window.stride) : std::nullopt;
    const int64_t rest = padding - (window.base_dilation - 1) - reach;
    if (steps && rest >= -window.stride && rest < 0) return *steps;
    c.fail(concat("a window of reach ", reach, ", stride ", window.stride, " and padding ", window.low, " + ",
                  window.high, " does not give a multiple of the symbolic dimension ", to_string(dim)));
  }
  const int64_t size = dilated(dim.size(), window.base_dilation) + padding;
  if (size >= kTooLong || reach >= kTooLong)
    c.fail(concat("a window of ", window.size, " cannot slide along a dimension of ", dim.size()));
  return size < reach ? 0 : (size - reach) / window.stride + 1;
}

Ints other_axes(int rank, const Ints& axes) {
  Ints rest;
  for (int64_t axis = 0; axis < rank; ++axis) {
    if (!contains(axes, axis)) rest.push_back(axis);
  }
  return rest;
}

bool contains(const Ints& values, int64_t value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

Ints range(int64_t begin, int64_t end) {
  Ints values;
  for (int64_t i = begin; i < end; ++i) values.push_back(i);
  return values;
}

}  // namespace temper
