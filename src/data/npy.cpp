#include "data/npy.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"

namespace temper {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct TypeName {
  DType dtype;
  std::string_view code;  // as in a header, without the byte order
};
constexpr std::array<TypeName, 12> kTypes = {{{DType::boolean, "b1"},
                                              {DType::i8, "i1"},
                                              {DType::u8, "u1"},
                                              {DType::i16, "i2"},
                                              {DType::u16, "u2"},
                                              {DType::i32, "i4"},
                                              {DType::u32, "u4"},
                                              {DType::i64, "i8"},
                                              {DType::u64, "u8"},
                                              {DType::f16, "f2"},
                                              {DType::f32, "f4"},
                                              {DType::f64, "f8"}}};

struct Header {
  Type type;
  bool big_endian = false, fortran_order = false;
  size_t data_offset = 0;
};

[[noreturn]] void corrupt(std::string_view what) {
  throw Error(ErrorKind::corrupt, concat("not a whole .npy file: ", what));
}

// What follows 'key': in the header's Python dictionary.
std::string_view value_of(std::string_view header, std::string_view key) {
  for (const char quote : {'\'', '"'}) {
    const std::string name = concat(quote, key, quote);
    const size_t at = header.find(name);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = trim(header.substr(at + name.size()));
    if (rest.starts_with(':')) return trim(rest.substr(1));
  }
  corrupt(concat("its header has no '", key, "'"));
}

Shape parse_shape(std::string_view text) {
  const size_t end = text.find(')');
  if (!text.starts_with('(') || end == std::string_view::npos) corrupt("its shape is no tuple");
  std::vector<int64_t> sizes;
  for (std::string_view part : split(text.substr(1, end - 1), ',')) {
    part = trim(part);
    if (part.ends_with('L')) part.remove_suffix(1);  // written by Python 2
    if (part.empty()) continue;
    int64_t size = 0;
    if (!parse_number(part, size) || size < 0) corrupt(concat("its shape has the size '", part, "'"));
    sizes.push_back(size);
  }
  return Shape::of(sizes);
}

void parse_descr(std::string_view text, Header& header) {
  if (text.empty() || (text[0] != '\'' && text[0] != '"')) {
    throw Error(ErrorKind::unsupported, "a .npy file of records; expected one numeric type");
  }
  const std::string_view descr = text.substr(1, text.find(text[0], 1) - 1);
  const bool has_order = !descr.empty() && std::string_view("<>|=").find(descr[0]) != std::string_view::npos;
  const std::string_view code = descr.substr(has_order ? 1 : 0);
  header.big_endian = descr.starts_with('>');
  for (const TypeName& type : kTypes) {
    if (type.code != code) continue;
    header.type.dtype = type.dtype;
    return;
  }
  throw Error(ErrorKind::unsupported,
              concat("a .npy file of type '", descr, "'; expected booleans, integers or floats"));
}

Header parse_header(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic)) corrupt("it does not begin with \\x93NUMPY");
  if (text.size() < 10) corrupt(concat("it ends after ", text.size(), " bytes, within the header"));
  const int version = static_cast<unsigned char>(text[6]);
  if (version < 1 || version > 3) {
    throw Error(ErrorKind::unsupported, concat("a .npy file of version ", version, "; expected 1, 2 or 3"));
  }
  const size_t width = version == 1 ? 2 : 4, begin = 8 + width;
  size_t length = 0;
  for (size_t i = 0; i < width && 8 + i < text.size(); ++i)
    length |= size_t{static_cast<unsigned char>(text[8 + i])} << (8 * i);
  if (text.size() < begin || text.size() - begin < length) {
    corrupt(concat("it ends after ", text.size(), " bytes, within the header"));
  }
  const std::string_view dictionary = text.substr(begin, length);
  Header header;
  parse_descr(value_of(dictionary, "descr"), header);
  header.fortran_order = value_of(dictionary, "fortran_order").starts_with("True");
  header.type.shape = parse_shape(value_of(dictionary, "shape"));
  header.data_offset = begin + length;
  return header;
}

void swap_bytes(std::byte* data, int64_t elements, size_t width) {
  for (int64_t i = 0; i < elements; ++i, data += width) std::reverse(data, data + width);
}

// Column-major bytes to row-major: the first axis of the source runs fastest.
void transpose(const std::byte* from, std::byte* to, const std::vector<int64_t>& sizes, size_t width) {
  std::vector<int64_t> index(sizes.size(), 0), stride(sizes.size(), 1);
  for (size_t axis = 1; axis < sizes.size(); ++axis) stride[axis] = stride[axis - 1] * sizes[axis - 1];
  int64_t position = 0;
  for (;;) {
    std::memcpy(to, from + static_cast<size_t>(position) * width, width);
    to += width;
    size_t axis = sizes.size();
    while (axis-- > 0) {
      position += stride[axis];
      if (++index[axis] < sizes[axis]) break;
      position -= stride[axis] * sizes[axis];
      index[axis] = 0;
    }
    if (axis == static_cast<size_t>(-1)) return;
  }
}

DType widened(DType dtype) {
  for (const TypeName& type : kTypes) {
    if (type.dtype == dtype) return dtype;
  }
  if (is_float(dtype)) return DType::f32;
  return is_signed(dtype) ? DType::i8 : DType::u8;
}

}  // namespace

Tensor parse_npy(std::span<const std::byte> bytes) {
  const Header header = parse_header(bytes);
  const int64_t expected = byte_size(header.type);
  const auto found = static_cast<int64_t>(bytes.size() - header.data_offset);
  if (found < expected) {
    corrupt(concat(to_string(header.type), " takes ", expected, " bytes after the header, found ", found));
  }
  Tensor tensor(header.type);
  const auto width = static_cast<size_t>(bit_width(header.type.dtype) / 8);
  const std::byte* data = bytes.data() + header.data_offset;
  if (expected > 0 && header.fortran_order && header.type.shape.rank() > 1) {
    transpose(data, tensor.mutable_data(), header.type.shape.sizes(), width);
  } else if (expected > 0) {
    std::memcpy(tensor.mutable_data(), data, static_cast<size_t>(expected));
  }
  if (header.big_endian) swap_bytes(tensor.mutable_data(), tensor.elements(), width);
  return tensor;
}

Tensor read_npy(const std::string& path) {
  const MappedFile file(path);
  try {
    return parse_npy(file.bytes());
  } catch (const Error& error) {
    throw Error(error.kind(), concat(path, ": ", error.what())).in_file(path);
  }
}

std::string npy_bytes(const Tensor& tensor) {
  const DType dtype = widened(tensor.dtype());
  const Type type{dtype, tensor.shape()};
  const Tensor wide = dtype == tensor.dtype() ? tensor
                      : is_float(dtype)       ? from_doubles(type, to_doubles(tensor))
                                              : from_int64s(type, to_int64s(tensor));
  const auto row =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeName& t) { return t.dtype == dtype; });
  std::string shape = join(type.shape.sizes(), ", ");
  if (type.shape.rank() == 1) shape += ",";
  std::string header = concat("{'descr': '", bit_width(dtype) == 8 ? '|' : '<', row->code,
                              "', 'fortran_order': False, 'shape': (", shape, "), }");
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  TEMPER_CHECK(header.size() < 65536, "rank ", type.shape.rank());
  std::string out = concat(kMagic, '\x01', '\0', static_cast<char>(header.size() & 0xff),
                           static_cast<char>(header.size() >> 8), header);
  return out.append(reinterpret_cast<const char*>(wide.data()), static_cast<size_t>(wide.bytes()));
}

void write_npy(const std::string& path, const Tensor& tensor) { write_file(path, npy_bytes(tensor)); }

}  // namespace temper
