// PyTorch state dicts, archives and sequences of pickles.
// Covers: src/formats/torch/torch.cpp src/formats/torch/pickle.cpp src/formats/torch/zip.cpp
#include "formats/torch/torch.h"

#include "fuzz/memory_file.h"
#include "fuzz/refused.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const temper::MemoryFile file(data, size);
  try {
    for (const auto& [name, tensor] : temper::torch::read_torch(file.path(), {}).parameters)
      (void)tensor.clone();
  } catch (const temper::Error& error) {
    temper::refused(error);
  }
  return 0;
}
