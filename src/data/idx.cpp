#include "data/idx.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/file.h"
#include "base/text.h"
#include "data/gzip.h"
#include "temper/error.h"

namespace temper {
namespace {

constexpr int64_t kMostGrowth = 1032;  // deflate packs no more than so many bytes into one

[[noreturn]] void corrupt(const std::string& what) {
  throw Error(ErrorKind::corrupt, "not a whole IDX file: " + what);
}

std::optional<DType> type_of(int code) {
  switch (code) {
    case 0x08:
      return DType::u8;
    case 0x09:
      return DType::i8;
    case 0x0b:
      return DType::i16;
    case 0x0c:
      return DType::i32;
    case 0x0d:
      return DType::f32;
    case 0x0e:
      return DType::f64;
    default:
      return std::nullopt;
  }
}

uint32_t big_endian(std::span<const std::byte> bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint32_t>(bytes[at + i]);
  return value;
}

struct Header {
  Type type;
  size_t bytes = 0;
};

Header parse_header(std::span<const std::byte> bytes) {
  if (bytes.size() < 4) corrupt(concat("it has ", bytes.size(), " bytes"));
  const auto code = static_cast<int>(bytes[2]);
  const std::optional<DType> dtype = type_of(code);
  if (bytes[0] != std::byte{0} || bytes[1] != std::byte{0} || !dtype) {
    corrupt(concat("its magic number is ", big_endian(bytes, 0),
                   ", expected 2049 for labels or 2051 for pictures"));
  }
  const auto rank = static_cast<size_t>(bytes[3]);
  if (rank == 0 || bytes.size() < 4 + 4 * rank) corrupt(concat("it ends within its ", rank, " sizes"));
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < rank; ++i) sizes.push_back(big_endian(bytes, 4 + 4 * i));
  return {Type{*dtype, Shape::of(sizes)}, 4 + 4 * rank};
}

Tensor parse_plain(std::span<const std::byte> bytes) {
  const Header header = parse_header(bytes);
  const int64_t expected = byte_size(header.type), found = static_cast<int64_t>(bytes.size() - header.bytes);
  if (expected != found) {
    corrupt(concat("its sizes ", to_string(header.type.shape), " ask for ", expected,
                   " bytes after the header, found ", found));
  }
  Tensor tensor(header.type);
  if (expected == 0) return tensor;
  std::memcpy(tensor.mutable_data(), bytes.data() + header.bytes, static_cast<size_t>(expected));
  const int width = bit_width(header.type.dtype) / 8;
  std::byte* value = tensor.mutable_data();
  for (int64_t i = 0; width > 1 && i < tensor.elements(); ++i, value += width)
    std::reverse(value, value + width);
  return tensor;
}

}  // namespace

Tensor parse_idx(std::span<const std::byte> bytes) {
  if (!is_gzip(bytes)) return parse_plain(bytes);
  constexpr int64_t kLongestHeader = 4 + 4 * 255;
  const std::string begin = gunzip(bytes, kLongestHeader);
  const Header header = parse_header(std::as_bytes(std::span(begin)));
  const int64_t size = byte_size(header.type);
  if (size / kMostGrowth > static_cast<int64_t>(bytes.size())) {
    corrupt(concat("its sizes ", to_string(header.type.shape), " ask for more than ", bytes.size(),
                   " compressed bytes can hold"));
  }
  // One byte more than asked for, so that too many are seen.
  const std::string plain = gunzip(bytes, static_cast<int64_t>(header.bytes) + size + 1);
  return parse_plain(std::as_bytes(std::span(plain)));
}

Tensor read_idx(const std::string& path) {
  const MappedFile file(path);
  try {
    return parse_idx(file.bytes());
  } catch (const Error& error) {
    throw Error(error.kind(), concat(path, ": ", error.what())).in_file(path);
  }
}

}  // namespace temper
