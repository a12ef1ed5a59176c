#pragma once
// Philox4x32-10: a counter-based generator. Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011. The same words as the ops of ops/random.cpp give on every device.
#include <array>
#include <cstdint>

namespace temper {

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

inline constexpr std::array<uint32_t, 2> kPhiloxMultipliers{0xD2511F53u, 0xCD9E8D57u};
inline constexpr PhiloxKey kPhiloxSteps{0x9E3779B9u, 0xBB67AE85u};  // added to the key after each round
inline constexpr int kPhiloxRounds = 10;

constexpr PhiloxCounter philox(PhiloxCounter counter, PhiloxKey key) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint64_t first = uint64_t{kPhiloxMultipliers[0]} * counter[0];
    const uint64_t second = uint64_t{kPhiloxMultipliers[1]} * counter[2];
    counter = {static_cast<uint32_t>(second >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(second),
               static_cast<uint32_t>(first >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(first)};
    key = {key[0] + kPhiloxSteps[0], key[1] + kPhiloxSteps[1]};
  }
  return counter;
}

// Counters of random bits end in 0, those that make new keys in 1, so that no key repeats a random word.
inline constexpr uint32_t kPhiloxBits = 0, kPhiloxFold = 1;

// Element `index` of the stream of `key`.
constexpr uint32_t random_word(PhiloxKey key, uint64_t index) {
  return philox({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), 0, kPhiloxBits}, key)[0];
}

// A new key, independent of `key` and of those for other data.
constexpr PhiloxKey fold_in(PhiloxKey key, uint64_t data) {
  const PhiloxCounter words =
      philox({static_cast<uint32_t>(data), static_cast<uint32_t>(data >> 32), 0, kPhiloxFold}, key);
  return {words[0], words[1]};
}

// In [0, 1), a multiple of 2^-24: exact in f32.
constexpr float unit_float(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

}  // namespace temper
