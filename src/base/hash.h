#pragma once
// XXH64: a fast 64-bit hash for cache keys, the same on every machine and in every version; not for secrets.
// Formula: "xxHash fast digest algorithm", specification 0.1.1 by Yann Collet.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace temper {

class Hasher {
 public:
  explicit Hasher(uint64_t seed = 0);

  Hasher& add(std::span<const std::byte> bytes);
  Hasher& add(std::string_view text) { return add(std::as_bytes(std::span(text))); }
  Hasher& add(uint64_t number) { return add(std::as_bytes(std::span(&number, 1))); }
  uint64_t digest() const;  // of all bytes added so far

 private:
  uint64_t seed_, total_ = 0;
  std::array<uint64_t, 4> lanes_;
  std::array<std::byte, 32> pending_{};  // the first total_ % 32 are in use
};

uint64_t hash_bytes(std::span<const std::byte> bytes, uint64_t seed = 0);
uint64_t hash_bytes(std::string_view text, uint64_t seed = 0);

}  // namespace temper
