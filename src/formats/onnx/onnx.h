#pragma once
// ONNX models, opset 7 to 27 in, 13 to 21 out. Semantics come from temper's own ops.
#include "formats/format.h"

namespace temper::onnx {

Model read_onnx(const std::string& path, const ReadOptions& options);
Model read_onnx(std::string_view bytes, const std::string& path, const ReadOptions& options);
void write_onnx(const Model& model, const std::string& path, const WriteOptions& options);
std::string onnx_bytes(const Model& model, const WriteOptions& options);  // all in one, whatever its size

}  // namespace temper::onnx
