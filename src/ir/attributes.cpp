#include "ir/attributes.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "ir/hash.h"

namespace temper {

bool operator==(const Tensor& a, const Tensor& b) {
  if (a.storage() == b.storage() && a.type() == b.type()) return true;
  if (a.empty() || b.empty() || a.type() != b.type() || !a.on_host() || !b.on_host()) return false;
  return a.bytes() == 0 || std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
}

static auto position(std::vector<Attributes::Entry>& entries, std::string_view name) {
  return std::lower_bound(
      entries.begin(), entries.end(), name,
      [](const Attributes::Entry& entry, std::string_view key) { return entry.first < key; });
}

const Attribute* Attributes::find(std::string_view name) const {
  for (const Entry& entry : entries_) {
    if (entry.first == name) return &entry.second;
  }
  return nullptr;
}

void Attributes::set(std::string_view name, Attribute value) {
  const auto at = position(entries_, name);
  if (at != entries_.end() && at->first == name) {
    at->second = std::move(value);
  } else {
    entries_.emplace(at, std::string(name), std::move(value));
  }
}

void Attributes::erase(std::string_view name) {
  const auto at = position(entries_, name);
  if (at != entries_.end() && at->first == name) entries_.erase(at);
}

static uint64_t hash_value(int64_t value) { return mix(0x11, static_cast<uint64_t>(value)); }
static uint64_t hash_value(double value) { return mix(0x12, std::bit_cast<uint64_t>(value)); }
static uint64_t hash_value(bool value) { return mix(0x13, value); }
static uint64_t hash_value(const std::string& value) { return mix(0x14, std::hash<std::string>()(value)); }
static uint64_t hash_value(DType value) { return mix(0x15, static_cast<uint64_t>(value)); }

template <class Number>
static uint64_t hash_value(const std::vector<Number>& values) {
  uint64_t seed = 0x16 + values.size();
  for (Number value : values) seed = mix(seed, hash_value(value));
  return seed;
}

static uint64_t hash_value(const Shape& shape) { return hash(shape); }

// Large constants are told apart by a sample of their bytes; equality still compares all of them.
static uint64_t hash_value(const Tensor& tensor) {
  constexpr int64_t kSample = 256;
  uint64_t seed = hash(tensor.type());
  if (tensor.empty() || !tensor.on_host()) return seed;
  const int64_t bytes = tensor.bytes();
  const int64_t step = std::max<int64_t>(1, bytes / kSample);
  for (int64_t at = 0; at < bytes; at += step) seed = mix(seed, static_cast<uint64_t>(tensor.data()[at]));
  return seed;
}

uint64_t hash(const Shape& shape) {
  uint64_t seed = 0x17;
  for (const Dim& dim : shape) {
    seed = mix(seed, static_cast<uint64_t>(dim.factor()));
    seed = mix(seed, std::hash<std::string_view>()(dim.symbol_name()));
  }
  return seed;
}

uint64_t hash(const Type& type) { return mix(static_cast<uint64_t>(type.dtype), hash(type.shape)); }

uint64_t hash(const Attributes& attributes) {
  uint64_t seed = 0x18;
  for (const auto& [name, value] : attributes.entries()) {
    seed = mix(seed, std::hash<std::string>()(name));
    seed = mix(seed, std::visit([](const auto& held) { return hash_value(held); }, value));
  }
  return seed;
}

}  // namespace temper
