// Safetensors files; what is read is written and read again.
// Covers: src/formats/safetensors.cpp src/formats/bytes.cpp
#include "formats/safetensors.h"

#include "fuzz/memory_file.h"
#include "fuzz/memory_folder.h"
#include "fuzz/refused.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const temper::MemoryFolder folder;
  const temper::MemoryFile file(data, size);
  try {
    const temper::Model model = temper::read_safetensors(file.path(), {});
    for (const auto& [name, tensor] : model.parameters) (void)tensor.clone();
    temper::write_safetensors(model, folder / "written.safetensors", {});
    (void)temper::read_safetensors(folder / "written.safetensors", {});
  } catch (const temper::Error& error) {
    temper::refused(error);
  }
  return 0;
}
