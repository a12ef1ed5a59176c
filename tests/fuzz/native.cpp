// temper's own folder: the graph's text, a zero byte, the parameters.
// Covers: src/formats/native.cpp
#include "formats/native.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "temper/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("temper_fuzz_" + std::to_string(getpid()) + ".temper");
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(bytes.find('\0'), size);
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "graph.txt", std::ios::binary) << bytes.substr(0, end);
  std::ofstream(folder / "parameters.safetensors", std::ios::binary) << bytes.substr(std::min(end + 1, size));
  try {
    (void)temper::read_native(folder.string(), {});
  } catch (const temper::Error& error) {
    if (error.kind() == temper::ErrorKind::internal) throw;
  }
  std::filesystem::remove_all(folder);
  return 0;
}
