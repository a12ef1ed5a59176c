#pragma once
// Hashes for finding equal nodes. Valid within one process.
#include <cstdint>

#include "temper/shape.h"

namespace temper {

// Finaliser of splitmix64 over the running seed.
constexpr uint64_t mix(uint64_t seed, uint64_t value) {
  uint64_t z = seed * 0x9e3779b97f4a7c15u + value + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t hash(const Shape& shape);
uint64_t hash(const Type& type);

}  // namespace temper
