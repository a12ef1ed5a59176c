#include "codegen/kernel_writer.h"

#include <cmath>

#include "base/check.h"

namespace temper {

int64_t groups_of(int64_t items, int lanes) { return (items + lanes - 1) / lanes; }

bool has_element_text(DType dtype) {
  return dtype == DType::boolean || (is_integer(dtype) && !is_packed(dtype)) || dtype >= DType::f16;
}

std::string_view unsigned_text(int bits) {
  return bits == 8 ? "u8" : bits == 16 ? "u16" : bits == 32 ? "u32" : "u64";
}

std::string_view stored_text(DType dtype) {
  if (dtype == DType::f32 || dtype == DType::f64 || (is_integer(dtype) && !is_packed(dtype)))
    return to_string(dtype);
  return unsigned_text(bit_width(dtype));
}

std::string_view computed_text(DType dtype) {
  return dtype == DType::f16 || dtype == DType::bf16 ? "f32" : stored_text(dtype);
}

DType raw_dtype(DType dtype) {
  const int bits = bit_width(dtype);
  return bits == 8 ? DType::u8 : bits == 16 ? DType::u16 : bits == 32 ? DType::u32 : DType::u64;
}

std::string load_text(DType dtype, std::string_view element) {
  if (dtype == DType::f16) return concat("f16_to_f32(", element, ")");
  if (dtype == DType::bf16) return concat("bf16_to_f32(", element, ")");
  return std::string(element);
}

std::string store_text(DType dtype, std::string_view value) {
  if (dtype == DType::f16) return concat("f32_to_f16(", value, ")");
  if (dtype == DType::bf16) return concat("f32_to_bf16(", value, ")");
  return std::string(value);
}

std::string literal_text(DType dtype, double real, int64_t integer) {
  if (!is_float(dtype)) {
    if (dtype == DType::u64) return concat("(u64)", static_cast<uint64_t>(integer), "ul");
    if (integer == INT64_MIN) return concat("(", stored_text(dtype), ")0x8000000000000000ul");
    return concat("(", stored_text(dtype), ")", integer, bit_width(dtype) == 64 ? "l" : "");
  }
  const bool wide = dtype == DType::f64;
  const std::string_view type = wide ? "f64" : "f32";
  if (std::isnan(real)) return concat("(", type, ")NOT_A_NUMBER");
  if (std::isinf(real)) return concat("(", type, ")", real < 0 ? "-INF" : "INF");
  std::string digits = wide ? concat(real) : concat(static_cast<float>(real));
  if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
  if (!wide) digits += "f";
  return digits[0] == '-' ? concat("(", digits, ")") : digits;
}

KernelWriter::KernelWriter(std::string kind, std::vector<DType> reads, std::vector<DType> writes,
                           int64_t largest, size_t numbers)
    : kind_(std::move(kind)),
      index_(largest < (int64_t{1} << 31) - kLanes ? "i32" : "i64"),
      reads_(std::move(reads)),
      writes_(std::move(writes)) {
  const auto operand = [&](std::string_view qualifier, std::string_view name, size_t i, DType dtype) {
    const std::string_view type = stored_text(dtype);
    parameters_ +=
        concat(parameters_.empty() ? "" : ", ", "GLOBAL ", qualifier, "u8* m", name, i, ", u64 o", name, i);
    line("GLOBAL ", qualifier, type, "* ", name, i, " = (GLOBAL ", qualifier, type, "*)(m", name, i, " + o",
         name, i, ");");
  };
  for (size_t i = 0; i < reads_.size(); ++i) operand("const ", "x", i, reads_[i]);
  for (size_t i = 0; i < writes_.size(); ++i) operand("", "y", i, writes_[i]);
  for (size_t i = 0; i < numbers; ++i) parameters_ += concat(", i64 n", i);
}

std::string KernelWriter::load(size_t read, std::string_view index) const {
  return load_text(reads_[read], concat("x", read, "[", index, "]"));
}

void KernelWriter::store(size_t write, std::string_view index, std::string_view value) {
  line("y", write, "[", index, "] = ", store_text(writes_[write], value), ";");
}

void KernelWriter::item(std::string_view count) {
  line("const ", index_, " i = (", index_, ")ITEM;");
  line("if (i >= ", count, ") return;");
}

std::vector<std::string> KernelWriter::coordinates(std::string_view index, const Ints& sizes,
                                                   std::string_view prefix) {
  std::vector<std::string> names(sizes.size(), "0");
  size_t first = 0;
  while (first < sizes.size() && sizes[first] == 1) ++first;
  int64_t below = product_of(sizes);
  for (size_t axis = first; axis < sizes.size(); ++axis) {
    below /= std::max<int64_t>(sizes[axis], 1);
    if (sizes[axis] == 1) continue;
    names[axis] = concat(prefix, axis);
    std::string text(index);
    if (below != 1) text += concat(" / ", literal(below));
    if (axis != first) text = concat(below != 1 ? concat("(", text, ")") : text, " % ", literal(sizes[axis]));
    line("const ", index_, " ", names[axis], " = ", text, ";");
  }
  return names;
}

KernelText KernelWriter::finish(int64_t groups, int lanes, std::vector<int64_t> numbers) {
  return {std::move(kind_), concat("(", parameters_, ") {\n", body_, "}\n"), groups, lanes,
          std::move(numbers)};
}

std::string literal(int64_t number) { return concat(number); }

std::string linear_text(const std::vector<std::string>& coordinates, const Ints& strides, int64_t base) {
  std::string text;
  for (size_t i = 0; i < coordinates.size(); ++i) {
    if (coordinates[i] == "0" || strides[i] == 0) continue;
    text += concat(text.empty() ? "" : " + ", coordinates[i]);
    if (strides[i] != 1) text += concat(" * ", literal(strides[i]));
  }
  if (base != 0 || text.empty()) text += concat(text.empty() ? "" : " + ", literal(base));
  return text;
}

int64_t product_of(const Ints& sizes) {
  int64_t product = 1;
  for (const int64_t size : sizes) product *= size;
  return product;
}

Ints dense_strides(const Ints& sizes) {
  Ints strides(sizes.size(), 1);
  for (size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * sizes[i];
  return strides;
}

}  // namespace temper
