// ONNX models: read with the batch freed and as they stand; what is read is written and read again.
// Covers: src/formats/onnx/*.cpp src/formats/batch.cpp
#include "formats/onnx/onnx.h"

#include <cstdint>
#include <string_view>

#include "temper/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    std::vector<std::string> notes;
    temper::ReadOptions options;
    options.notes = &notes;
    const temper::Model model = temper::onnx::read_onnx(bytes, "fuzz.onnx", options);
    temper::WriteOptions written;
    written.opset = 13 + static_cast<int>(size % 9);
    (void)temper::onnx::read_onnx(temper::onnx::onnx_bytes(model, written), "written.onnx", {});
  } catch (const temper::Error& error) {
    if (error.kind() == temper::ErrorKind::internal) throw;
  }
  return 0;
}
