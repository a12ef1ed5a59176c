#pragma once
// ONNX files made in memory.
#include <string>
#include <vector>

#include "formats/onnx/file.h"
#include "formats/onnx/onnx.h"

namespace temper {

inline onnx::NodeDef node(const std::string& op_type, std::vector<std::string> inputs,
                          std::vector<std::string> outputs, std::vector<onnx::AttributeDef> attributes = {}) {
  return {outputs.empty() ? op_type : outputs[0] + "_node",
          op_type,
          "",
          std::move(inputs),
          std::move(outputs),
          std::move(attributes)};
}

inline Tensor floats(const Shape& shape, float start = 0.5f) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = start + 0.25f * static_cast<float>(i);
  return Tensor::from<float>(shape, values);
}

inline Tensor integers(const std::vector<int64_t>& values) {
  return Tensor::from<int64_t>({static_cast<int64_t>(values.size())}, values);
}

inline onnx::ModelDef file(std::vector<onnx::NodeDef> nodes, const Shape& input,
                           std::vector<onnx::InitializerDef> initializers = {}, int64_t opset = 17) {
  onnx::ModelDef model;
  model.ir_version = 8;
  model.opsets[""] = opset;
  model.graph.name = "test";
  model.graph.inputs = {{"x", DType::f32, input}};
  model.graph.outputs = {{"y", DType::f32, std::nullopt}};
  model.graph.initializers = std::move(initializers);
  model.graph.nodes = std::move(nodes);
  return model;
}

inline Model read(const onnx::ModelDef& model, const ReadOptions& options = {}) {
  return onnx::read_onnx(onnx::file_bytes(model), "test.onnx", options);
}

}  // namespace temper
