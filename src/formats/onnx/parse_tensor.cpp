#include "formats/onnx/parse_tensor.h"

#include <cstring>
#include <filesystem>
#include <limits>

#include "base/text.h"
#include "formats/bytes.h"
#include "temper/error.h"

namespace temper::onnx {

namespace fs = std::filesystem;

static constexpr int64_t kOwnUpTo = 4096;                   // bytes; smaller tensors are copied
static constexpr int64_t kDenseLimit = int64_t{256} << 20;  // bytes of a densified sparse tensor

template <class... Parts>
[[noreturn]] static void corrupt(const std::string& what, const Parts&... parts) {
  throw Error(ErrorKind::corrupt, concat(what, ": ", concat(parts...)));
}

template <class Dims>
static Shape shape_of(const Dims& dims, const std::string& what) {
  return checked_shape({dims.begin(), dims.end()}, what);
}

static int64_t number_of(const std::string& value, std::string_view key, const std::string& what) {
  int64_t number = 0;
  if (!parse_number(value, number) || number < 0)
    corrupt(what, "external data has ", key, " '", value, "', expected a number of bytes");
  return number;
}

static std::shared_ptr<MappedFile> open_external(const std::string& location, const std::string& what,
                                                 ExternalData& external) {
  const fs::path relative = fs::path(location).lexically_normal();
  if (location.empty() || relative.is_absolute() || *relative.begin() == "..")
    corrupt(what, "external data '", location, "' must lie in the model's folder");
  std::shared_ptr<MappedFile>& file = external.files[relative.string()];
  if (file) return file;
  const fs::path folder = external.folder.empty() ? "." : external.folder;
  std::error_code error;
  const fs::path inside =
      fs::weakly_canonical(folder / relative, error).lexically_relative(fs::canonical(folder, error));
  if (error || inside.empty() || *inside.begin() == "..")
    corrupt(what, "external data '", location, "' must lie in the model's folder");
  return file = std::make_shared<MappedFile>((folder / relative).string());
}

static Tensor read_external(const ::onnx::TensorProto& proto, const Type& type, const std::string& what,
                            ExternalData& external) {
  std::string location;
  int64_t offset = 0, length = byte_size(type);
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = number_of(entry.value(), "offset", what);
    if (entry.key() == "length") length = number_of(entry.value(), "length", what);
  }
  const std::shared_ptr<MappedFile> file = open_external(location, what, external);
  if (length != byte_size(type))
    corrupt(what, to_string(type), " takes ", byte_size(type), " bytes, its external data has ", length);
  const auto size = static_cast<int64_t>(file->bytes().size());
  if (offset > size || length > size - offset)
    corrupt(what, "bytes ", offset, " to ", offset, "+", length, " lie beyond the end of ", location, " (",
            size, " bytes)");
  return borrow(type, file->bytes().data() + offset, file);
}

template <class Field>
static void expect_count(const Field& field, int64_t expected, const Type& type, const std::string& what) {
  if (field.size() != expected)
    corrupt(what, to_string(type), " needs ", expected, " values, the file has ", field.size());
}

template <class To, class Field>
static Tensor narrow(const Field& field, const Type& type, int64_t count, const std::string& what) {
  expect_count(field, count, type, what);
  Tensor tensor(type);
  std::byte* to = tensor.mutable_data();
  for (int64_t i = 0; i < count; ++i) {
    const To value = static_cast<To>(field.Get(static_cast<int>(i)));
    std::memcpy(to + i * static_cast<int64_t>(sizeof value), &value, sizeof value);
  }
  return tensor;
}

static Tensor read_fields(const ::onnx::TensorProto& proto, const Type& type, const std::string& what) {
  const int64_t elements = type.shape.elements();
  switch (type.dtype) {
    case DType::f32:
      return narrow<float>(proto.float_data(), type, elements, what);
    case DType::f64:
      return narrow<double>(proto.double_data(), type, elements, what);
    case DType::i64:
      return narrow<int64_t>(proto.int64_data(), type, elements, what);
    case DType::u64:
      return narrow<uint64_t>(proto.uint64_data(), type, elements, what);
    case DType::u32:
      return narrow<uint32_t>(proto.uint64_data(), type, elements, what);
    case DType::i32:
      return narrow<int32_t>(proto.int32_data(), type, elements, what);
    case DType::i16:
    case DType::u16:
    case DType::f16:
    case DType::bf16:
      return narrow<uint16_t>(proto.int32_data(), type, elements, what);
    default:
      return narrow<uint8_t>(proto.int32_data(), type, byte_size(type), what);  // a byte each
  }
}

InitializerDef parse_tensor(::onnx::TensorProto& proto, const std::string& what, ExternalData& external,
                            const LeftOut& left_out) {
  InitializerDef result{proto.name(), {}};
  const std::optional<DType> dtype = dtype_of_number(proto.data_type());
  if (!dtype) return result.problem = describe_number(proto.data_type()), result;
  const Type type{*dtype, shape_of(proto.dims(), what)};
  const int64_t bytes = byte_size(type);
  if (proto.data_location() == ::onnx::TensorProto::EXTERNAL) {
    result.tensor = read_external(proto, type, what, external);
  } else if (proto.has_raw_data() || !left_out.bytes.empty()) {
    const auto found = static_cast<int64_t>(proto.raw_data().size() + left_out.bytes.size());
    if (found != bytes) corrupt(what, to_string(type), " takes ", bytes, " bytes, the file has ", found);
    if (!left_out.bytes.empty()) {
      result.tensor = borrow(type, left_out.bytes.data(), left_out.owner);
    } else if (bytes <= kOwnUpTo) {
      result.tensor = copy_bytes(type, proto.raw_data().data());
    } else {
      auto owner = std::make_shared<std::string>(std::move(*proto.mutable_raw_data()));
      result.tensor = borrow(type, owner->data(), owner);
    }
  } else {
    result.tensor = read_fields(proto, type, what);
  }
  make_boolean(result.tensor);
  return result;
}

InitializerDef parse_sparse(::onnx::SparseTensorProto& proto, const std::string& what,
                            ExternalData& external) {
  InitializerDef values = parse_tensor(*proto.mutable_values(), what, external);
  const InitializerDef indices = parse_tensor(*proto.mutable_indices(), what, external);
  if (!values.problem.empty()) return values;
  const Shape shape = shape_of(proto.dims(), what);
  const Type type{values.tensor.dtype(), shape};
  const int64_t count = values.tensor.elements(), rank = shape.rank();
  if (is_packed(type.dtype)) return values.problem = "sparse packed numbers", values;
  if (byte_size(type) > kDenseLimit)
    corrupt(what, "a sparse ", to_string(type), " is too large to be made dense");
  if (!indices.problem.empty() || indices.tensor.dtype() != DType::i64)
    corrupt(what, "sparse indices must be int64");
  const bool flat = indices.tensor.shape().rank() == 1;
  if (indices.tensor.elements() != (flat ? count : count * rank))
    corrupt(what, count, " sparse values with ", indices.tensor.elements(), " indices");
  const std::span<const int64_t> index = indices.tensor.values<int64_t>();
  const std::vector<int64_t> sizes = shape.sizes();
  const int64_t width = bit_width(type.dtype) / 8;
  Tensor dense(type);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = flat ? index[static_cast<size_t>(i)] : 0;
    for (int64_t axis = 0; !flat && axis < rank; ++axis) {
      const int64_t part = index[static_cast<size_t>(i * rank + axis)];
      if (part < 0 || part >= sizes[static_cast<size_t>(axis)])
        corrupt(what, "sparse index ", part, " is out of range");
      at = at * sizes[static_cast<size_t>(axis)] + part;
    }
    if (at < 0 || at >= dense.elements()) corrupt(what, "sparse index ", at, " is out of range");
    std::memcpy(dense.mutable_data() + at * width, values.tensor.data() + i * width,
                static_cast<size_t>(width));
  }
  values.tensor = std::move(dense);
  return values;
}

}  // namespace temper::onnx
