// IDX files, plain and compressed.
// Covers: src/data/idx.cpp src/data/gzip.cpp
#include "data/idx.h"

#include <cstdint>
#include <span>

#include "fuzz/refused.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    (void)temper::parse_idx(std::as_bytes(std::span(data, size)));
  } catch (const temper::Error& error) {
    temper::refused(error);
  }
  return 0;
}
