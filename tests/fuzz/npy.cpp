// NumPy's arrays: what can be read is the same after it was written and read again.
// Covers: src/data/npy.cpp
#include "data/npy.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "fuzz/refused.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const temper::Tensor tensor = temper::parse_npy(std::as_bytes(std::span(data, size)));
    const std::string written = temper::npy_bytes(tensor);
    const temper::Tensor again = temper::parse_npy(std::as_bytes(std::span(written)));
    const auto bytes = static_cast<std::size_t>(tensor.bytes());
    if (again.type() != tensor.type()) std::abort();
    if (bytes > 0 && std::memcmp(tensor.data(), again.data(), bytes) != 0) std::abort();
  } catch (const temper::Error& error) {
    temper::refused(error);
  }
  return 0;
}
