#include "formats/onnx/lean.h"

#include <cstdint>

namespace temper::onnx {
namespace {

// Of onnx.proto.
constexpr uint64_t kModelGraph = 7, kGraphInitializer = 5, kTensorRawData = 9, kTensorDataLocation = 14;
constexpr size_t kLarge = 4096;  // bytes worth leaving out

// A field as it stands in the file.
struct Field {
  uint64_t number = 0;
  std::string_view all;    // with its tag
  bool is_sized = false;   // says its length: a message, text or bytes
  std::string_view value;  // of those
};

// The fields of a message one after the other. Protocol Buffers, "Encoding".
class Fields {
 public:
  explicit Fields(std::string_view message) : rest_(message) {}

  bool well_formed() const { return well_formed_; }

  // None at the end, and where what follows is no field.
  std::optional<Field> next() {
    if (rest_.empty() || !well_formed_) return std::nullopt;
    const std::string_view before = rest_;
    uint64_t tag = 0, length = 0;
    well_formed_ = varint(tag);
    Field field{.number = tag >> 3};
    switch (tag & 7) {
      case 0:
        well_formed_ = well_formed_ && varint(length);
        break;
      case 1:
        skip(8);
        break;
      case 2:
        well_formed_ = well_formed_ && varint(length);
        field.is_sized = true;
        field.value = rest_.substr(0, length);
        skip(length);
        break;
      case 5:
        skip(4);
        break;
      default:
        well_formed_ = false;
    }
    if (!well_formed_) return std::nullopt;
    field.all = before.substr(0, before.size() - rest_.size());
    return field;
  }

 private:
  bool varint(uint64_t& number) {
    number = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
      if (rest_.empty()) return false;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      number |= uint64_t{byte & 127u} << shift;
      if (byte < 128) return true;
    }
    // Negative numbers take ten bytes; their value does not matter here.
    if (rest_.empty() || static_cast<unsigned char>(rest_.front()) > 1) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void skip(uint64_t bytes) {
    well_formed_ = well_formed_ && bytes <= rest_.size();
    if (well_formed_) rest_.remove_prefix(bytes);
  }

  std::string_view rest_;
  bool well_formed_ = true;
};

void append_varint(std::string& out, uint64_t number) {
  for (; number >= 128; number >>= 7) out += static_cast<char>(number | 128);
  out += static_cast<char>(number);
}

void append_field(std::string& out, uint64_t number, std::string_view value) {
  append_varint(out, number << 3 | 2);
  append_varint(out, value.size());
  out += value;
}

// Appends a TensorProto, without its raw_data if that is large; returns it then.
std::optional<std::string_view> append_tensor(std::string& out, std::string_view tensor) {
  Fields fields(tensor);
  std::string rest;
  std::string_view raw;
  bool plain = true;  // one raw_data, in this file
  while (const std::optional<Field> field = fields.next()) {
    if (field->number == kTensorDataLocation) plain = false;
    if (field->number == kTensorRawData && field->value.size() > kLarge) {
      plain = plain && raw.empty();
      raw = field->value;
    } else {
      plain = plain && field->number != kTensorRawData;
      if (rest.size() + field->all.size() <= kLarge) rest += field->all;
    }
  }
  if (!fields.well_formed()) return std::nullopt;
  const bool lean = plain && !raw.empty() && tensor.size() - raw.size() <= kLarge;
  append_field(out, kGraphInitializer, lean ? std::string_view(rest) : tensor);
  return lean ? raw : std::string_view();
}

bool append_graph(std::string& out, std::string_view graph, LeanFile& file) {
  std::string lean;
  Fields fields(graph);
  while (const std::optional<Field> field = fields.next()) {
    if (field->number != kGraphInitializer || !field->is_sized) {
      lean += field->all;
      continue;
    }
    const std::optional<std::string_view> raw = append_tensor(lean, field->value);
    if (!raw) return false;
    file.bytes.push_back(*raw);
  }
  append_field(out, kModelGraph, lean);
  return fields.well_formed();
}

}  // namespace

std::optional<LeanFile> lean(std::string_view file) {
  LeanFile result;
  Fields fields(file);
  while (const std::optional<Field> field = fields.next()) {
    if (field->number != kModelGraph || !field->is_sized) {
      result.message += field->all;
    } else if (!append_graph(result.message, field->value, result)) {
      return std::nullopt;
    }
  }
  if (!fields.well_formed() || result.message.size() > file.size() / 2) return std::nullopt;
  return result;
}

}  // namespace temper::onnx
