#include "formats/torch/torch.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <optional>

#include "base/file.h"
#include "base/text.h"
#include "formats/bytes.h"
#include "formats/torch/pickle.h"
#include "formats/torch/zip.h"
#include "temper/error.h"

namespace temper::torch {

namespace {

constexpr std::string_view kZip("PK\x03\x04", 4);
constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);  // of the older form
constexpr int64_t kSpread = 16;  // an expanded tensor may be this much larger than its storage

constexpr std::array<std::pair<std::string_view, DType>, 10> kStorages{{{"FloatStorage", DType::f32},
                                                                        {"DoubleStorage", DType::f64},
                                                                        {"HalfStorage", DType::f16},
                                                                        {"BFloat16Storage", DType::bf16},
                                                                        {"LongStorage", DType::i64},
                                                                        {"IntStorage", DType::i32},
                                                                        {"ShortStorage", DType::i16},
                                                                        {"CharStorage", DType::i8},
                                                                        {"ByteStorage", DType::u8},
                                                                        {"BoolStorage", DType::boolean}}};

// Reverses the bytes of each element.
std::string swapped(std::string_view bytes, size_t width) {
  std::string result(bytes);
  for (size_t at = 0; at + width <= result.size(); at += width)
    std::reverse(result.begin() + static_cast<std::ptrdiff_t>(at),
                 result.begin() + static_cast<std::ptrdiff_t>(at + width));
  return result;
}

class StateDict {
 public:
  explicit StateDict(const std::string& path) : path_(path), file_(std::make_shared<MappedFile>(path)) {}

  std::map<std::string, Tensor> read() {
    const std::string_view bytes = file_->text();
    Ref root = starts_with(bytes, kZip) ? read_archive(bytes) : read_sequence(bytes);
    collect(state_of(root), "", 0);
    if (tensors_.empty())
      fail(ErrorKind::invalid,
           "no tensors: temper reads state dicts, as torch.save(model.state_dict(), path) writes them");
    drop_common_prefix("module.");
    return std::move(tensors_);
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail(ErrorKind kind, const Parts&... parts) const {
    throw Error(kind, concat(path_, ": ", concat(parts...))).in_file(path_);
  }

  // --- the two containers ---

  Ref read_archive(std::string_view bytes) {
    const std::map<std::string, std::string_view> entries = zip_entries(bytes, path_);
    std::string prefix;
    std::optional<std::string_view> pickle;
    for (const auto& [name, contents] : entries) {
      if (!ends_with(name, "/data.pkl")) continue;
      pickle = contents;
      prefix = name.substr(0, name.size() - std::string_view("data.pkl").size());
    }
    if (!pickle) fail(ErrorKind::unsupported, "an archive without data.pkl is no PyTorch file");
    if (entries.contains(prefix + "constants.pkl"))
      fail(ErrorKind::unsupported,
           "a TorchScript program; save the state dict, torch.save(model.state_dict(), path), or export to "
           "ONNX");
    if (const auto order = entries.find(prefix + "byteorder"); order != entries.end())
      big_endian_ = trim(order->second) == "big";
    for (const auto& [name, contents] : entries)
      if (starts_with(name, prefix + "data/")) storages_[name.substr(prefix.size() + 5)] = contents;
    size_t at = 0;
    return pickle_.load(*pickle, at, concat(path_, ": data.pkl"));
  }

  // Magic number, version, system, the object; then the storages' keys and each one's length and bytes.
  Ref read_sequence(std::string_view bytes) {
    size_t at = 0;
    if (bytes.size() < 2 || bytes[0] != '\x80')
      fail(ErrorKind::corrupt, "neither an archive nor a pickle, as torch.save writes them");
    if (pickle_.load(bytes, at, path_)->text != kMagic)
      fail(ErrorKind::unsupported, "a pickle that torch.save did not write");
    pickle_.load(bytes, at, path_);
    for (const auto& [key, value] : pickle_.load(bytes, at, path_)->pairs)
      if (key->text == "little_endian") big_endian_ = value->integer == 0;
    const Ref root = pickle_.load(bytes, at, path_);
    std::map<std::string, size_t> widths;
    find_widths(root, widths, 0);
    for (const Ref key : pickle_.load(bytes, at, path_)->items) {
      uint64_t elements = 0;
      if (bytes.size() - at < sizeof elements)
        fail(ErrorKind::corrupt, "the file ends before storage ", key->text);
      std::memcpy(&elements, bytes.data() + at, sizeof elements);
      at += sizeof elements;
      const auto width = widths.find(key->text);
      if (width == widths.end()) fail(ErrorKind::corrupt, "storage ", key->text, " belongs to no tensor");
      if (elements > (bytes.size() - at) / width->second)
        fail(ErrorKind::corrupt, "the file ends within storage ", key->text, " of ", elements, " elements");
      storages_[key->text] = bytes.substr(at, elements * width->second);
      at += elements * width->second;
    }
    return root;
  }

  static size_t width_of(const Object& storage) {
    for (const auto& [name, dtype] : kStorages)
      if (name == storage.element) return static_cast<size_t>(bit_width(dtype)) / 8;
    return 1;
  }

  void find_widths(Ref object, std::map<std::string, size_t>& widths, int depth) const {
    if (depth > kDeepest) fail(ErrorKind::unsupported, "objects lie more than ", kDeepest, " deep");
    if (object->kind == Kind::tensor)
      widths[object->items[0]->text] = width_of(*object->items[0]);
    else if (object->kind == Kind::list)
      for (const Ref item : object->items) find_widths(item, widths, depth + 1);
    for (const auto& [key, value] : object->pairs) find_widths(value, widths, depth + 1);
  }

  // --- tensors ---

  static Ref entry(Ref dict, std::string_view name) {
    for (const auto& [key, value] : dict->pairs)
      if (key->kind == Kind::text && key->text == name && value->kind == Kind::dict) return value;
    return nullptr;
  }

  // A checkpoint's dict of parameters; else the object itself.
  static Ref state_of(Ref root) {
    for (const std::string_view name : {"state_dict", "model_state_dict", "model"})
      if (const Ref inner = root->kind == Kind::dict ? entry(root, name) : nullptr) return inner;
    return root;
  }

  void collect(Ref object, const std::string& name, int depth) {
    if (depth > kDeepest) fail(ErrorKind::unsupported, "objects lie more than ", kDeepest, " deep");
    if (++visited_ > kMost) fail(ErrorKind::unsupported, "more than ", kMost, " entries");
    if (object->kind == Kind::tensor) {
      if (!tensors_.emplace(name, tensor(*object, name)).second)
        fail(ErrorKind::corrupt, "two tensors are named '", name, "'");
      return;
    }
    for (const auto& [key, value] : object->pairs) {
      if (key->kind != Kind::text || (value->kind != Kind::tensor && value->kind != Kind::dict)) continue;
      collect(value, name.empty() ? key->text : concat(name, ".", key->text), depth + 1);
    }
  }

  Tensor tensor(const Object& object, const std::string& name) {
    const Object& storage = *object.items[0];
    const auto known = std::find_if(kStorages.begin(), kStorages.end(),
                                    [&](const auto& row) { return row.first == storage.element; });
    if (known == kStorages.end())
      fail(ErrorKind::unsupported, "tensor '", name, "' is of a ", storage.element);
    const auto found = storages_.find(storage.text);
    if (found == storages_.end())
      fail(ErrorKind::corrupt, "tensor '", name, "': storage ", storage.text, " is absent");
    const Type type{known->second, checked_shape(object.sizes, concat(path_, ": tensor '", name, "'"))};
    const auto width = static_cast<size_t>(bit_width(type.dtype)) / 8;
    const auto available = static_cast<int64_t>(found->second.size() / width);
    check_reach(object, type, available, name);
    std::string own;
    std::string_view bytes = found->second;
    if (big_endian_ && width > 1) bytes = own = swapped(bytes, width);
    const char* first = bytes.data() + static_cast<size_t>(object.integer) * width;
    Tensor result;
    if (is_dense(object))
      result = own.empty() ? borrow(type, first, file_) : copy_bytes(type, first);
    else
      result = gathered(object, type, first, width);
    make_boolean(result);
    return result;
  }

  // The last element must lie in the storage, and the whole must not be much larger than it.
  void check_reach(const Object& object, const Type& type, int64_t available, const std::string& name) const {
    const int64_t elements = type.shape.elements();
    int64_t last = object.integer;
    bool fits = last >= 0;
    for (size_t i = 0; fits && elements > 0 && i < object.sizes.size(); ++i) {
      int64_t reach = 0;
      fits = object.strides[i] >= 0 &&
             !__builtin_mul_overflow(object.sizes[i] - 1, object.strides[i], &reach) &&
             !__builtin_add_overflow(last, reach, &last);
    }
    if (!fits || (elements > 0 && last >= available) || last > available || elements / kSpread > available)
      fail(ErrorKind::corrupt, "tensor '", name, "' ", to_string(type), " reaches beyond its storage of ",
           available, " elements");
  }

  static bool is_dense(const Object& object) {
    int64_t expected = 1;
    for (size_t i = object.sizes.size(); i-- > 0;) {
      if (object.sizes[i] != 1 && object.strides[i] != expected) return false;
      expected *= object.sizes[i];
    }
    return true;
  }

  // Elements one by one, in row-major order of the result.
  static Tensor gathered(const Object& object, const Type& type, const char* first, size_t width) {
    Tensor result(type);
    std::vector<int64_t> index(object.sizes.size());
    std::byte* to = result.mutable_data();
    for (int64_t count = type.shape.elements(); count > 0; --count, to += width) {
      int64_t at = 0;
      for (size_t i = 0; i < index.size(); ++i) at += index[i] * object.strides[i];
      std::memcpy(to, first + static_cast<size_t>(at) * width, width);
      for (size_t i = index.size(); i > 0; --i) {
        if (++index[i - 1] < object.sizes[i - 1]) break;
        index[i - 1] = 0;
      }
    }
    return result;
  }

  // DataParallel puts a prefix before every name.
  void drop_common_prefix(std::string_view prefix) {
    const bool all = std::all_of(tensors_.begin(), tensors_.end(),
                                 [&](const auto& entry) { return starts_with(entry.first, prefix); });
    if (!all) return;
    std::map<std::string, Tensor> renamed;
    for (auto& [name, tensor] : tensors_) renamed[name.substr(prefix.size())] = std::move(tensor);
    tensors_ = std::move(renamed);
  }

  static constexpr int kDeepest = 64, kMost = 1 << 20;

  const std::string& path_;
  std::shared_ptr<MappedFile> file_;
  Pickle pickle_;
  std::map<std::string, std::string_view> storages_;
  std::map<std::string, Tensor> tensors_;
  bool big_endian_ = false;
  int visited_ = 0;
};

}  // namespace

Model read_torch(const std::string& path, const ReadOptions&) {
  Model model;
  try {
    model.parameters = StateDict(path).read();
  } catch (Error& error) {
    if (error.file().empty()) error.in_file(path);
    throw;
  }
  return model;
}

}  // namespace temper::torch
