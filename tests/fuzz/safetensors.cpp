// Safetensors files; what is read is written again.
// Covers: src/formats/safetensors.cpp src/formats/bytes.cpp
#include "formats/safetensors.h"

#include "fuzz/memory_file.h"
#include "temper/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const temper::MemoryFile file(data, size);
  try {
    for (const auto& [name, tensor] : temper::read_safetensors(file.path(), {}).parameters)
      (void)tensor.clone();
  } catch (const temper::Error& error) {
    if (error.kind() == temper::ErrorKind::internal) throw;
  }
  return 0;
}
