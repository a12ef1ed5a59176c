// temper's own folder: the graph's text, a zero byte, the parameters; what is read is written, over what
// stood there, and read again. Two places cannot be written to.
// Covers: src/formats/native.cpp
#include "formats/native.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "fuzz/memory_folder.h"
#include "fuzz/refused.h"

static void expect_refusal(const temper::Model& model, const std::string& path) {
  try {
    temper::write_native(model, path, {});
  } catch (const temper::Error& error) {
    return temper::refused(error);
  }
  std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const temper::MemoryFolder folder;
  const std::string path = folder / "model.temper", written = folder / "written.temper";
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(bytes.find('\0'), size);
  std::filesystem::create_directories(path);
  std::ofstream(path + "/graph.txt", std::ios::binary) << bytes.substr(0, end);
  std::ofstream(path + "/parameters.safetensors", std::ios::binary) << bytes.substr(std::min(end + 1, size));
  try {
    const temper::Model model = temper::read_native(path, {});
    temper::write_native(model, written, {});
    temper::write_native(temper::read_native(written, {}), written + "/", {});
    expect_refusal(model, path + "/graph.txt");
    expect_refusal(model, folder / "absent/model.temper");
  } catch (const temper::Error& error) {
    temper::refused(error);
  }
  return 0;
}
