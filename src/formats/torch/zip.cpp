#include "formats/torch/zip.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/text.h"
#include "temper/error.h"

namespace temper::torch {

namespace {

constexpr uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kLocator64 = 0x07064b50, kCentral = 0x02014b50,
                   kLocal = 0x04034b50;
constexpr size_t kEndSize = 22, kLocatorSize = 20, kEnd64Size = 56, kCentralSize = 46, kLocalSize = 30;
constexpr uint32_t kIn64 = 0xffffffff;  // the number stands in the 64-bit extra field

class Archive {
 public:
  Archive(std::string_view bytes, const std::string& what) : bytes_(bytes), what_(what) {}

  std::map<std::string, std::string_view> entries() {
    uint64_t count = 0, at = 0;
    find_directory(count, at);
    std::map<std::string, std::string_view> result;
    for (uint64_t i = 0; i < count; ++i) {
      if (number<uint32_t>(at) != kCentral) corrupt("entry ", i, " of the directory is damaged");
      const auto name_size = number<uint16_t>(at + 28), extra_size = number<uint16_t>(at + 30),
                 comment_size = number<uint16_t>(at + 32);
      const std::string name(part(at + kCentralSize, name_size));
      uint64_t packed = number<uint32_t>(at + 20), size = number<uint32_t>(at + 24),
               offset = number<uint32_t>(at + 42);
      widen(part(at + kCentralSize + name_size, extra_size), size, packed, offset);
      if (number<uint16_t>(at + 10) != 0 || packed != size)
        throw Error(ErrorKind::unsupported,
                    concat(what_, ": entry ", name, " is compressed; PyTorch writes none such"));
      if (!result.emplace(name, contents(offset, size, name)).second) corrupt("two entries are named ", name);
      at += kCentralSize + name_size + extra_size + comment_size;
    }
    return result;
  }

 private:
  template <class... Parts>
  [[noreturn]] void corrupt(const Parts&... parts) const {
    throw Error(ErrorKind::corrupt, concat(what_, ": ", concat(parts...)));
  }

  std::string_view part(uint64_t at, uint64_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at)
      corrupt("bytes ", at, " to ", at, "+", size, " lie beyond the end (", bytes_.size(), ")");
    return bytes_.substr(at, size);
  }
  template <class T>
  T number(uint64_t at) const {
    T value;
    const std::string_view own = part(at, sizeof value);
    std::memcpy(&value, own.data(), own.size());
    return value;
  }

  void find_directory(uint64_t& count, uint64_t& at) const {
    if (bytes_.size() < kEndSize) corrupt("the archive has no directory");
    const size_t last = bytes_.size() - kEndSize, first = last > 0xffff ? last - 0xffff : 0;
    size_t end = last;
    while (number<uint32_t>(end) != kEnd) {
      if (end == first) corrupt("the archive has no directory: it is cut off or damaged");
      --end;
    }
    count = number<uint16_t>(end + 10);
    at = number<uint32_t>(end + 16);
    if (end < kLocatorSize || number<uint32_t>(end - kLocatorSize) != kLocator64) return;
    const auto end64 = number<uint64_t>(end - kLocatorSize + 8);
    part(end64, kEnd64Size);
    if (number<uint32_t>(end64) != kEnd64) corrupt("the 64-bit directory is damaged");
    count = number<uint64_t>(end64 + 32);
    at = number<uint64_t>(end64 + 48);
  }

  // Numbers too large for 32 bits stand in the extra field, in this order.
  void widen(std::string_view extra, uint64_t& size, uint64_t& packed, uint64_t& offset) const {
    while (extra.size() >= 4) {
      uint16_t id = 0, length = 0;
      std::memcpy(&id, extra.data(), 2);
      std::memcpy(&length, extra.data() + 2, 2);
      if (length > extra.size() - 4) corrupt("an extra field is damaged");
      std::string_view field = extra.substr(4, length);
      extra.remove_prefix(4 + size_t{length});
      if (id != 1) continue;
      for (uint64_t* value : {&size, &packed, &offset}) {
        if (*value != kIn64) continue;
        if (field.size() < 8) corrupt("a 64-bit field is damaged");
        std::memcpy(value, field.data(), 8);
        field.remove_prefix(8);
      }
    }
  }

  std::string_view contents(uint64_t offset, uint64_t size, const std::string& name) const {
    if (number<uint32_t>(offset) != kLocal) corrupt("entry ", name, " is damaged");
    const uint64_t header = kLocalSize + number<uint16_t>(offset + 26) + number<uint16_t>(offset + 28);
    return part(offset + header, size);
  }

  std::string_view bytes_;
  const std::string& what_;
};

}  // namespace

std::map<std::string, std::string_view> zip_entries(std::string_view bytes, const std::string& what) {
  return Archive(bytes, what).entries();
}

}  // namespace temper::torch
