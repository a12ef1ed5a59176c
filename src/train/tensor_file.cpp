#include "train/tensor_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

namespace temper {
namespace {

constexpr size_t kAlignment = 64;  // of the first byte of data

constexpr std::array<std::pair<DType, std::string_view>, 15> kNames{{{DType::boolean, "BOOL"},
                                                                     {DType::i8, "I8"},
                                                                     {DType::u8, "U8"},
                                                                     {DType::i16, "I16"},
                                                                     {DType::u16, "U16"},
                                                                     {DType::i32, "I32"},
                                                                     {DType::u32, "U32"},
                                                                     {DType::i64, "I64"},
                                                                     {DType::u64, "U64"},
                                                                     {DType::f8e4m3fn, "F8_E4M3"},
                                                                     {DType::f8e5m2, "F8_E5M2"},
                                                                     {DType::f16, "F16"},
                                                                     {DType::bf16, "BF16"},
                                                                     {DType::f32, "F32"},
                                                                     {DType::f64, "F64"}}};

std::string_view name_of(DType dtype) {
  for (const auto& [known, name] : kNames) {
    if (known == dtype) return name;
  }
  check_failed("a dtype of safetensors", __FILE_NAME__, __LINE__, std::string(to_string(dtype)));
}

struct Layout {
  std::string header;  // length and JSON
  std::vector<int64_t> offsets;
  int64_t bytes = 0;  // of all data
};

Layout layout_of(const std::vector<std::pair<std::string, Type>>& types,
                 const std::map<std::string, std::string>& metadata) {
  Layout layout;
  Json header = Json::object();
  for (const auto& [key, value] : metadata) header["__metadata__"][key] = value;
  for (const auto& [name, type] : types) {
    layout.offsets.push_back(layout.bytes);
    Json& entry = header[name];
    entry["dtype"] = name_of(type.dtype);
    entry["shape"] = type.shape.sizes();
    entry["data_offsets"] = std::vector<int64_t>{layout.bytes, layout.bytes + byte_size(type)};
    layout.bytes += byte_size(type);
  }
  std::string text = header.dump();
  while ((text.size() + 8) % kAlignment != 0) text += ' ';
  const uint64_t length = text.size();
  layout.header.assign(reinterpret_cast<const char*>(&length), 8);
  layout.header += text;
  return layout;
}

[[noreturn]] void corrupt(const std::string& path, std::string_view what) {
  throw Error(ErrorKind::corrupt, concat(path, ": ", what)).in_file(path);
}

Type type_of(const std::string& path, const std::string& name, const Json& entry) {
  Type type;
  bool known = false;
  for (const auto& [dtype, word] : kNames) {
    if (entry.at("dtype").is_string() && entry.at("dtype").text() == word) type.dtype = dtype, known = true;
  }
  if (!known || !entry.at("shape").is_array())
    corrupt(path, concat("tensor ", name, " has no known dtype and shape"));
  double elements = 1;
  for (const Json& size : entry.at("shape").items()) {
    if (size.integer() < 0) corrupt(path, concat("tensor ", name, " has a negative size"));
    elements *= static_cast<double>(size.integer());
    type.shape.push_back(size.integer());
  }
  if (elements > 1e18) corrupt(path, concat("tensor ", name, " is too large"));
  return type;
}

Tensor borrow(const std::shared_ptr<MappedFile>& file, int64_t data_start, const std::string& name,
              const Json& entry) {
  const Type type = type_of(file->path(), name, entry);
  const auto& offsets = entry.at("data_offsets");
  const auto size = static_cast<int64_t>(file->bytes().size());
  if (!offsets.is_array() || offsets.items().size() != 2)
    corrupt(file->path(), concat("tensor ", name, " has no offsets"));
  const int64_t begin = offsets.items()[0].integer(), end = offsets.items()[1].integer();
  if (begin < 0 || end < begin || end > size - data_start || end - begin != byte_size(type)) {
    corrupt(file->path(), concat("the bytes of tensor ", name, " are not all there"));
  }
  auto storage = std::make_shared<Storage>();
  storage->data = const_cast<std::byte*>(file->bytes().data() + data_start + begin);
  storage->bytes = end - begin;
  storage->read_only = true;
  storage->owner = file;
  return Tensor(type, std::move(storage));
}

[[noreturn]] void system_failure(const std::string& path, std::string_view what, int code) {
  const bool full = code == ENOSPC || code == EDQUOT;
  throw Error(full ? ErrorKind::exhausted : ErrorKind::invalid,
              concat("cannot ", what, " ", path, ": ", std::strerror(code)))
      .in_file(path);
}

}  // namespace

void write_tensor_file(const std::string& path, const TensorFile& file) {
  std::vector<std::pair<std::string, Type>> types;
  for (const auto& [name, tensor] : file.tensors) types.emplace_back(name, tensor.type());
  FileWriter writer(path);
  writer.write(layout_of(types, file.metadata).header);
  for (const auto& [name, tensor] : file.tensors) {
    writer.write(std::span(tensor.data(), static_cast<size_t>(tensor.bytes())));
  }
  writer.commit();
}

TensorFile read_tensor_file(const std::string& path) {
  const auto file = std::make_shared<MappedFile>(path);
  const std::string_view text = file->text();
  uint64_t length = 0;
  if (text.size() >= 8) std::memcpy(&length, text.data(), 8);
  if (text.size() < 8 || length > text.size() - 8) corrupt(path, "the header is not all there");
  TensorFile result;
  try {
    const Json header = Json::parse(text.substr(8, length));
    for (const auto& [name, entry] : header.members()) {
      if (name == "__metadata__") {
        for (const auto& [key, value] : entry.members()) result.metadata[key] = value.text();
      } else {
        result.tensors[name] = borrow(file, static_cast<int64_t>(8 + length), name, entry);
      }
    }
  } catch (const std::bad_variant_access&) {
    corrupt(path, "the header is not an object of objects");
  }
  return result;
}

MappedTensorFile::MappedTensorFile(std::string path, const std::vector<std::pair<std::string, Type>>& types,
                                   const std::map<std::string, std::string>& metadata)
    : path_(std::move(path)), temporary_(concat(path_, ".", getpid(), ".part")) {
  const Layout layout = layout_of(types, metadata);
  bytes_ = layout.header.size() + static_cast<size_t>(layout.bytes);
  const int descriptor = open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) system_failure(temporary_, "create", errno);
  const int full = posix_fallocate(descriptor, 0, static_cast<off_t>(bytes_));
  void* address =
      full ? MAP_FAILED : mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  const int code = full ? full : errno;
  close(descriptor);
  if (address == MAP_FAILED) {
    unlink(temporary_.c_str());
    system_failure(temporary_, "reserve", code);
  }
  mapping_ = std::shared_ptr<void>(address, [bytes = bytes_](void* at) { munmap(at, bytes); });
  auto* data = static_cast<std::byte*>(address);
  std::memcpy(data, layout.header.data(), layout.header.size());
  for (size_t i = 0; i < types.size(); ++i) {
    auto storage = std::make_shared<Storage>();
    storage->data = data + layout.header.size() + layout.offsets[i];
    storage->bytes = byte_size(types[i].second);
    storage->owner = mapping_;
    tensors_[types[i].first] = Tensor(types[i].second, std::move(storage));
  }
}

MappedTensorFile::~MappedTensorFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void MappedTensorFile::commit() {
  if (msync(mapping_.get(), bytes_, MS_SYNC) != 0) system_failure(temporary_, "write", errno);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) system_failure(path_, "rename to", errno);
  temporary_.clear();
}

}  // namespace temper
