// ONNX models: read with the batch freed and as they stand; what is read is written and read again. Beside
// the model lies a file 'data' of 64 bytes. The same bytes are read as a tensor alone.
// Covers: src/formats/onnx/*.cpp src/passes/batch.cpp
// Writers: src/formats/onnx/writ*.cpp src/formats/onnx/emitter.cpp
#include "formats/onnx/onnx.h"

#include <cstdint>
#include <fstream>
#include <string_view>

#include "formats/onnx/file.h"
#include "fuzz/memory_file.h"
#include "fuzz/memory_folder.h"
#include "fuzz/refused.h"

static void read_model(std::string_view bytes, const std::string& path) {
  std::vector<std::string> notes;
  temper::ReadOptions options;
  options.notes = &notes;
  const temper::Model model = temper::onnx::read_onnx(bytes, path, options);
  for (const std::string& note : notes) temper::said(note);
  temper::WriteOptions written;
  written.opset = 13 + static_cast<int>(bytes.size() % 9);
  (void)temper::onnx::read_onnx(temper::onnx::onnx_bytes(model, written), "written.onnx", {});
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const temper::MemoryFolder folder;
  static const bool with_data = static_cast<bool>(std::ofstream(folder / "data") << std::string(64, '\1'));
  if (!with_data) return 0;
  try {
    read_model({reinterpret_cast<const char*>(data), size}, folder / "fuzz.onnx");
  } catch (const temper::Error& error) {
    temper::refused(error);
  }
  try {
    (void)temper::onnx::parse_tensor_file(temper::MemoryFile(data, size).path());
  } catch (const temper::Error& error) {
    temper::refused(error);
  }
  return 0;
}
