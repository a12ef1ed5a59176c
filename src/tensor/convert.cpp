// Values of any dtype as double or int64 and back.
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "temper/tensor.h"
#include "tensor/small_float.h"

namespace temper {
namespace {

// Calls function with a value of the C++ type that stores dtype; small floats and packed types go by their
// bits.
template <class Function>
void with_storage_type(DType dtype, Function&& function) {
  switch (dtype) {
    case DType::boolean:
      return function(bool{});
    case DType::i8:
      return function(int8_t{});
    case DType::u8:
      return function(uint8_t{});
    case DType::i16:
      return function(int16_t{});
    case DType::u16:
      return function(uint16_t{});
    case DType::i32:
      return function(int32_t{});
    case DType::u32:
      return function(uint32_t{});
    case DType::i64:
      return function(int64_t{});
    case DType::u64:
      return function(uint64_t{});
    case DType::f32:
      return function(float{});
    case DType::f64:
      return function(double{});
    default:
      break;
  }
  TEMPER_CHECK(false, to_string(dtype), " has no C++ type");
}

bool is_small_float(DType dtype) { return is_float(dtype) && dtype < DType::f32; }

// Element i of memory as bits; for types of 2, 4, 8 and 16 bits.
uint32_t bits_at(const std::byte* data, int bits, size_t i) {
  if (bits == 16) {
    uint16_t value = 0;
    std::memcpy(&value, data + 2 * i, sizeof value);
    return value;
  }
  const size_t per_byte = 8 / static_cast<size_t>(bits);
  const auto byte = static_cast<uint32_t>(data[i / per_byte]);
  return (byte >> (i % per_byte * static_cast<size_t>(bits))) & ((1u << bits) - 1);
}

// The bits of element i, which were zero, become value.
void set_bits(std::byte* data, int bits, size_t i, uint32_t value) {
  if (bits == 16) {
    const auto narrow = static_cast<uint16_t>(value);
    std::memcpy(data + 2 * i, &narrow, sizeof narrow);
    return;
  }
  const size_t per_byte = 8 / static_cast<size_t>(bits);
  const uint32_t mask = (1u << bits) - 1;
  data[i / per_byte] |= static_cast<std::byte>((value & mask) << (i % per_byte * static_cast<size_t>(bits)));
}

int64_t packed_integer(DType dtype, uint32_t code) {
  const int bits = bit_width(dtype);
  const bool negative = is_signed(dtype) && (code >> (bits - 1));
  return static_cast<int64_t>(code) - (negative ? int64_t{1} << bits : 0);
}

// To the nearest integer, ties to even, modulo 2^64; 0 for what is not finite.
uint64_t wrap(double value) {
  if (!std::isfinite(value)) return 0;
  const double whole = std::nearbyint(value);
  if (std::fabs(whole) < 0x1p63) return static_cast<uint64_t>(static_cast<int64_t>(whole));
  const double rest = std::fmod(whole, 0x1p64);
  return rest < 0 ? uint64_t{0} - static_cast<uint64_t>(-rest) : static_cast<uint64_t>(rest);
}

// As a double that rounds to a narrower float as the integer itself would: what does not fit sets the last
// bit.
double round_to_odd(int64_t value) {
  if (value > -(int64_t{1} << 53) && value < (int64_t{1} << 53)) return static_cast<double>(value);
  const int64_t kept = value & ~int64_t{0x7ff};
  return static_cast<double>(kept == value ? kept : kept | 0x800);
}

void check_count(const Type& type, size_t count) {
  TEMPER_CHECK(static_cast<int64_t>(count) == type.shape.elements(), count, " values for ", to_string(type));
}

template <class Out>
std::vector<Out> read(const Tensor& tensor) {
  TEMPER_CHECK(tensor.on_host(), "only host tensors can be read");
  const DType dtype = tensor.dtype();
  const auto count = static_cast<size_t>(tensor.elements());
  std::vector<Out> out(count);
  if (is_small_float(dtype)) {
    for (size_t i = 0; i < count; ++i) {
      out[i] = static_cast<Out>(decode_small(dtype, bits_at(tensor.data(), bit_width(dtype), i)));
    }
  } else if (is_packed(dtype)) {
    for (size_t i = 0; i < count; ++i) {
      out[i] = static_cast<Out>(packed_integer(dtype, bits_at(tensor.data(), bit_width(dtype), i)));
    }
  } else {
    with_storage_type(dtype, [&]<class T>(T) {
      if constexpr (std::is_same_v<T, bool>) {  // any byte but 0 is true, and a bool may not hold it
        for (size_t i = 0; i < count; ++i) out[i] = static_cast<Out>(tensor.data()[i] != std::byte{0});
      } else {
        const std::span<const T> values = tensor.values<T>();
        for (size_t i = 0; i < count; ++i) out[i] = static_cast<Out>(values[i]);
      }
    });
  }
  return out;
}

}  // namespace

std::vector<double> to_doubles(const Tensor& tensor) { return read<double>(tensor); }

std::vector<int64_t> to_int64s(const Tensor& tensor) {
  TEMPER_CHECK(!is_float(tensor.dtype()), to_string(tensor.type()), " read as integers");
  return read<int64_t>(tensor);
}

Tensor from_doubles(const Type& type, std::span<const double> values) {
  check_count(type, values.size());
  Tensor tensor(type);
  const int bits = bit_width(type.dtype);
  if (is_small_float(type.dtype)) {
    for (size_t i = 0; i < values.size(); ++i) {
      set_bits(tensor.mutable_data(), bits, i, encode_small(type.dtype, values[i]));
    }
  } else if (is_packed(type.dtype)) {
    for (size_t i = 0; i < values.size(); ++i) {
      set_bits(tensor.mutable_data(), bits, i, static_cast<uint32_t>(wrap(values[i])));
    }
  } else {
    with_storage_type(type.dtype, [&]<class T>(T) {
      const std::span<T> out = tensor.mutable_values<T>();
      for (size_t i = 0; i < values.size(); ++i) {
        if constexpr (std::is_same_v<T, bool>) {
          out[i] = values[i] != 0;
        } else if constexpr (std::is_floating_point_v<T>) {
          out[i] = static_cast<T>(values[i]);
        } else {
          out[i] = static_cast<T>(wrap(values[i]));
        }
      }
    });
  }
  return tensor;
}

Tensor from_int64s(const Type& type, std::span<const int64_t> values) {
  check_count(type, values.size());
  Tensor tensor(type);
  const int bits = bit_width(type.dtype);
  if (is_small_float(type.dtype)) {
    for (size_t i = 0; i < values.size(); ++i) {
      set_bits(tensor.mutable_data(), bits, i, encode_small(type.dtype, round_to_odd(values[i])));
    }
  } else if (is_packed(type.dtype)) {
    for (size_t i = 0; i < values.size(); ++i) {
      set_bits(tensor.mutable_data(), bits, i, static_cast<uint32_t>(values[i]));
    }
  } else {
    with_storage_type(type.dtype, [&]<class T>(T) {
      const std::span<T> out = tensor.mutable_values<T>();
      for (size_t i = 0; i < values.size(); ++i) {
        if constexpr (std::is_same_v<T, bool>) {
          out[i] = values[i] != 0;
        } else {
          out[i] = static_cast<T>(values[i]);
        }
      }
    });
  }
  return tensor;
}

double round_to(DType dtype, double value) {
  if (is_small_float(dtype)) return decode_small(dtype, encode_small(dtype, value));
  if (is_packed(dtype)) {
    const uint32_t mask = (1u << bit_width(dtype)) - 1;
    return static_cast<double>(packed_integer(dtype, static_cast<uint32_t>(wrap(value)) & mask));
  }
  double result = 0;
  with_storage_type(dtype, [&]<class T>(T) {
    if constexpr (std::is_same_v<T, bool>) {
      result = value != 0 ? 1 : 0;
    } else if constexpr (std::is_floating_point_v<T>) {
      result = static_cast<double>(static_cast<T>(value));
    } else {
      result = static_cast<double>(static_cast<T>(wrap(value)));
    }
  });
  return result;
}

float f16_to_f32(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1fu;
  const uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
  }
  const uint32_t wide = exponent == 0x1f ? 0xff : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) {  // NaN keeps what fits of its payload
    const uint32_t payload = (size >> 13) & 0x3ffu;
    return static_cast<uint16_t>(sign | 0x7c00u | (payload ? payload : 0x200u));
  }
  if (size >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and more
  if (size < 0x38800000u) {  // below 2^-14: adding 0.5 leaves the rounded multiple of 2^-24 in the last bits
    const auto shifted = std::bit_cast<uint32_t>(std::bit_cast<float>(size) + 0.5f);
    return static_cast<uint16_t>(sign | (shifted - 0x3f000000u));
  }
  return static_cast<uint16_t>(sign | ((size - ((127u - 15u) << 23) + 0xfffu + ((size >> 13) & 1u)) >> 13));
}

float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    const uint32_t high = bits >> 16;
    return static_cast<uint16_t>((high & 0x7fu) ? high : high | 0x40u);
  }
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace temper
