// Constants: one number for all elements, nested lists, or the bytes of many elements.
#include <charconv>
#include <cmath>
#include <cstring>

#include "devices/pjrt/writer.h"

namespace temper::pjrt {

namespace {

constexpr int64_t kListed = 16;  // elements that are written one by one

constexpr char kDigits[] = "0123456789ABCDEF";

// The bytes of one element, the highest first, as a hexadecimal number: the form of what is not finite.
std::string bits_text(const std::byte* element, int64_t bytes) {
  std::string text = "0x";
  for (int64_t i = bytes; i-- > 0;) {
    const auto byte = static_cast<unsigned>(element[i]);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// MLIR wants a point in a number.
std::string decimal_text(double value) {
  char buffer[40];
  std::string digits(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
  if (digits.find('.') != std::string::npos) return digits;
  const size_t exponent = digits.find('e');
  return exponent == std::string::npos ? digits + ".0"
                                       : concat(digits.substr(0, exponent), ".0", digits.substr(exponent));
}

std::string nested(const std::vector<std::string>& elements, const Ints& sizes, size_t axis, size_t& next) {
  if (axis == sizes.size()) return elements[next++];
  std::vector<std::string> parts;
  for (int64_t i = 0; i < sizes[axis]; ++i) parts.push_back(nested(elements, sizes, axis + 1, next));
  return concat("[", join(parts, ", "), "]");
}

std::string bytes_text(const Tensor& value) {
  const std::byte* const data = value.data();
  std::string text = "\"0x";
  text.reserve(static_cast<size_t>(value.bytes()) * 2 + 4);
  for (int64_t i = 0; i < value.bytes(); ++i) {
    const auto byte = static_cast<unsigned>(data[i]);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text + "\"";
}

// The elements from `begin`, `count` of them.
std::vector<std::string> element_texts(const Tensor& value, int64_t count) {
  const int64_t bytes = bit_width(value.dtype()) / 8;
  const Tensor some(Type{value.dtype(), {count}}, value.storage());
  std::vector<std::string> texts;
  if (is_float(value.dtype())) {
    for (const double number : to_doubles(some)) {
      const std::byte* const element = value.data() + static_cast<int64_t>(texts.size()) * bytes;
      texts.push_back(std::isfinite(number) ? decimal_text(number) : bits_text(element, bytes));
    }
    return texts;
  }
  for (const int64_t number : to_int64s(some)) {
    if (value.dtype() == DType::boolean)
      texts.emplace_back(number ? "true" : "false");
    else if (value.dtype() == DType::u64)
      texts.push_back(concat(static_cast<uint64_t>(number)));
    else
      texts.push_back(concat(number));
  }
  return texts;
}

bool all_equal(const Tensor& value) {
  const auto width = static_cast<size_t>(bit_width(value.dtype()) / 8),
             bytes = static_cast<size_t>(value.bytes());
  return bytes <= width || std::memcmp(value.data(), value.data() + width, bytes - width) == 0;
}

}  // namespace

Printed Writer::constant(const Tensor& value) {
  const Type& type = value.type();
  if (value.elements() > kListed && type.dtype == DType::boolean && !all_equal(value))  // MLIR packs its bits
    return convert(constant(Tensor(Type{DType::u8, type.shape}, value.storage())), DType::boolean);
  std::string text;
  if (value.elements() == 0) {
    text = "";
  } else if (all_equal(value)) {
    text = element_texts(value, 1)[0];
  } else if (value.elements() <= kListed) {
    size_t next = 0;
    text = nested(element_texts(value, value.elements()), type.shape.sizes(), 0, next);
  } else {
    text = bytes_text(value);
  }
  Printed result = emit("constant", {}, type, concat("value = dense<", text, "> : ", type_text(type)));
  result.number = !is_float(type.dtype) || (all_equal(value) && !text.starts_with("0x"));
  return result;
}

Printed Writer::scalar(DType dtype, double value) { return full({dtype, {}}, value); }

Printed Writer::full(const Type& type, double value) {
  if (type.shape.elements() == 0) return constant(Tensor(type));
  const Tensor one = from_doubles({type.dtype, {}}, {&value, 1});
  return emit("constant", {}, type,
              concat("value = dense<", element_texts(one, 1)[0], "> : ", type_text(type)));
}

}  // namespace temper::pjrt
