#include "formats/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "formats/bytes.h"
#include "temper/error.h"

namespace temper {

static constexpr uint64_t kMaxHeader = 100'000'000;  // bytes, as the reference implementation has it
static constexpr size_t kAlignment = 64;             // of the first byte after the header

struct DTypeName {
  DType dtype;
  std::string_view name;
};
static constexpr std::array<DTypeName, 16> kDTypeNames{{{DType::boolean, "BOOL"},
                                                        {DType::i8, "I8"},
                                                        {DType::u8, "U8"},
                                                        {DType::i16, "I16"},
                                                        {DType::u16, "U16"},
                                                        {DType::i32, "I32"},
                                                        {DType::u32, "U32"},
                                                        {DType::i64, "I64"},
                                                        {DType::u64, "U64"},
                                                        {DType::f16, "F16"},
                                                        {DType::bf16, "BF16"},
                                                        {DType::f32, "F32"},
                                                        {DType::f64, "F64"},
                                                        {DType::f8e4m3fn, "F8_E4M3"},
                                                        {DType::f8e5m2, "F8_E5M2"},
                                                        {DType::f8e8m0, "F8_E8M0"}}};

template <class... Parts>
[[noreturn]] static void fail(ErrorKind kind, const std::string& path, const Parts&... parts) {
  throw Error(kind, concat(path, ": ", concat(parts...))).in_file(path);
}

namespace {

struct Entry {
  std::string name;
  Type type;
  uint64_t begin = 0, end = 0;  // in the data after the header
};

class HeaderReader {
 public:
  HeaderReader(const std::string& path, uint64_t data_bytes) : path_(path), data_bytes_(data_bytes) {}

  Entry entry(const std::string& name, const Json& json) const {
    const std::string what = concat(path_, ": tensor '", name, "'");
    if (!json.is_object()) fail(ErrorKind::corrupt, path_, "tensor '", name, "' has no description");
    Entry result{
        name, {dtype(name, json.at("dtype")), checked_shape(integers(name, json.at("shape")), what)}, 0, 0};
    const std::vector<int64_t> range = integers(name, json.at("data_offsets"));
    if (range.size() != 2 || range[0] < 0 || range[1] < range[0] ||
        static_cast<uint64_t>(range[1]) > data_bytes_)
      fail(ErrorKind::corrupt, path_, "tensor '", name, "': bytes ", range.empty() ? 0 : range[0], " to ",
           range.size() < 2 ? 0 : range[1], " do not lie within the ", data_bytes_, " of the file");
    result.begin = static_cast<uint64_t>(range[0]);
    result.end = static_cast<uint64_t>(range[1]);
    if (static_cast<int64_t>(result.end - result.begin) != byte_size(result.type))
      fail(ErrorKind::corrupt, path_, "tensor '", name, "': ", to_string(result.type), " takes ",
           byte_size(result.type), " bytes, the file gives it ", result.end - result.begin);
    return result;
  }

 private:
  DType dtype(const std::string& name, const Json& json) const {
    if (!json.is_string()) fail(ErrorKind::corrupt, path_, "tensor '", name, "' has no dtype");
    for (const DTypeName& row : kDTypeNames)
      if (row.name == json.text()) return row.dtype;
    fail(ErrorKind::unsupported, path_, "tensor '", name, "' has dtype ", json.text());
  }

  std::vector<int64_t> integers(const std::string& name, const Json& json) const {
    if (!json.is_array()) fail(ErrorKind::corrupt, path_, "tensor '", name, "' lacks its shape or its range");
    std::vector<int64_t> result;
    for (const Json& item : json.items()) {
      if (!item.is_number())
        fail(ErrorKind::corrupt, path_, "tensor '", name, "' has a shape or range that holds no number");
      result.push_back(item.integer());
    }
    return result;
  }

  const std::string& path_;
  uint64_t data_bytes_;
};

}  // namespace

// Ranges must follow one another from byte 0 to the end: no overlap, no hole.
static void check_ranges(std::vector<Entry> entries, uint64_t data_bytes, const std::string& path) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t at = 0;
  const std::string* before = nullptr;
  for (const Entry& entry : entries) {
    if (entry.begin < at)
      fail(ErrorKind::corrupt, path, "tensors '", *before, "' and '", entry.name, "' overlap at byte ",
           entry.begin);
    if (entry.begin > at)
      fail(ErrorKind::corrupt, path, "bytes ", at, " to ", entry.begin, " before tensor '", entry.name,
           "' belong to no tensor");
    at = entry.end;
    before = &entry.name;
  }
  if (at != data_bytes)
    fail(ErrorKind::corrupt, path, "bytes ", at, " to ", data_bytes, " belong to no tensor");
}

static std::map<std::string, std::string> read_metadata(const Json& json, const std::string& path) {
  std::map<std::string, std::string> metadata;
  if (!json.is_object()) fail(ErrorKind::corrupt, path, "__metadata__ is no object");
  for (const auto& [key, value] : json.members()) {
    if (!value.is_string()) fail(ErrorKind::corrupt, path, "metadata '", key, "' is no text");
    metadata[key] = value.text();
  }
  return metadata;
}

static Json parse_header(std::string_view text, const std::string& path) {
  try {
    Json header = Json::parse(text);
    if (header.is_object()) return header;
  } catch (const Error& error) {
    fail(ErrorKind::corrupt, path, "the header: ", error.what());
  }
  fail(ErrorKind::corrupt, path, "the header is no JSON object");
}

Safetensors read_safetensors_file(const std::string& path) {
  const auto file = std::make_shared<MappedFile>(path);
  const std::string_view text = file->text();
  uint64_t header_bytes = 0;
  if (text.size() < sizeof header_bytes)
    fail(ErrorKind::corrupt, path, "a file of ", text.size(), " bytes has no safetensors header");
  std::memcpy(&header_bytes, text.data(), sizeof header_bytes);
  if (header_bytes > kMaxHeader || header_bytes > text.size() - sizeof header_bytes)
    fail(ErrorKind::corrupt, path, "the header claims ", header_bytes, " bytes of a file of ", text.size());
  const Json header = parse_header(text.substr(sizeof header_bytes, header_bytes), path);
  const std::string_view data = text.substr(sizeof header_bytes + header_bytes);
  const HeaderReader reader(path, data.size());
  Safetensors result;
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.members()) {
    if (name == "__metadata__") {
      result.metadata = read_metadata(json, path);
      continue;
    }
    entries.push_back(reader.entry(name, json));
    const Entry& entry = entries.back();
    Tensor& tensor = result.tensors[name];
    tensor = borrow(entry.type, data.data() + entry.begin, file);
    make_boolean(tensor);
  }
  check_ranges(std::move(entries), data.size(), path);
  return result;
}

static std::string_view name_of(DType dtype, const std::string& tensor, const std::string& path) {
  for (const DTypeName& row : kDTypeNames)
    if (row.dtype == dtype) return row.name;
  fail(ErrorKind::unsupported, path, "tensor '", tensor, "' is ", to_string(dtype),
       ", which safetensors cannot hold");
}

std::string safetensors_header(const std::vector<std::pair<std::string, Type>>& tensors,
                               const std::map<std::string, std::string>& metadata, const std::string& path) {
  Json header = Json::object();
  for (const auto& [key, value] : metadata) header["__metadata__"][key] = value;
  int64_t at = 0;
  for (const auto& [name, type] : tensors) {
    Json& described = header[name];
    described["dtype"] = name_of(type.dtype, name, path);
    described["shape"] = type.shape.sizes();
    described["data_offsets"] = std::vector<int64_t>{at, at + byte_size(type)};
    at += byte_size(type);
  }
  std::string text = header.dump();
  while ((sizeof(uint64_t) + text.size()) % kAlignment != 0) text += ' ';
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

void write_safetensors_file(const Safetensors& content, const std::string& path) {
  // Wide elements first: every tensor is then aligned to its element size.
  std::vector<const std::pair<const std::string, Tensor>*> order;
  for (const auto& entry : content.tensors) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return bit_width(a->second.dtype()) > bit_width(b->second.dtype());
  });
  std::vector<std::pair<std::string, Type>> types;
  for (const auto* entry : order) types.emplace_back(entry->first, entry->second.type());
  FileWriter writer(path);
  writer.write(safetensors_header(types, content.metadata, path));
  for (const auto* entry : order)
    writer.write({entry->second.data(), static_cast<size_t>(entry->second.bytes())});
  writer.commit();
}

Model read_safetensors(const std::string& path, const ReadOptions&) {
  Safetensors content = read_safetensors_file(path);
  Model model;
  model.parameters = std::move(content.tensors);
  take_metadata(model, std::move(content.metadata));
  return model;
}

void write_safetensors(const Model& model, const std::string& path, const WriteOptions&) {
  write_safetensors_file({model.parameters, metadata_of(model)}, path);
}

}  // namespace temper
