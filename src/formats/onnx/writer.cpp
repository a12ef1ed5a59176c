#include "base/text.h"
#include "formats/onnx/emitter.h"
#include "formats/onnx/onnx.h"
#include "ir/builder.h"
#include "passes/passes.h"
#include "temper/error.h"

namespace temper::onnx {

static constexpr int kLeast = 13, kMost = 21;

// The version of the file format in which an opset came out.
static int ir_version(int opset) { return opset < 15 ? 7 : opset < 19 ? 8 : opset < 21 ? 9 : 10; }

// Of which opset on an integer, or a float of 8 bits, may be quantised; `wide`: dequantised.
static int quantised_since(DType dtype, bool wide) {
  if (dtype == DType::u8 || dtype == DType::i8 || (wide && dtype == DType::i32)) return 13;
  const bool narrow = dtype == DType::i16 || dtype == DType::u16 || dtype == DType::i4 || dtype == DType::u4;
  return narrow ? 21 : kMost + 1;
}

static bool is_quantisation(const Graph& graph, const Node& node, int opset) {
  const bool wide = node.op->name == "dequantize";
  const Type &x = graph.type(node.inputs[0]), &scale = graph.type(node.inputs[1]);
  return opset >= quantised_since(wide ? x.dtype : node.outputs[0].dtype, wide) &&
         scale.dtype == DType::f32 && (wide || x.dtype == DType::f32) && scale.shape.rank() < 2 &&
         node.attributes.get_or<std::string>("rounding", "half_even") == "half_even";
}

// Composites that the opset has as one operator; the others are written by their definition.
static bool has_operator(const Graph& graph, const Node& node, int opset) {
  if (node.op->name.ends_with("quantize")) return is_quantisation(graph, node, opset);
  if (node.op->name == "layer_norm") return opset >= 17;
  if (node.op->name == "gelu") return opset >= 20;
  return find_write_row(node.op->name) != nullptr;
}

static Graph without_calls(const Graph& graph) {
  Graph current = graph;
  for (bool changed = true; changed;) {
    changed = false;
    current = rewrite(current, [&](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
      if (view.node.op->name != "call") return std::nullopt;
      changed = true;
      return inline_graph(b, view.node.regions[0], view.inputs);
    });
  }
  return current;
}

static ModelDef to_file(const Model& model, int opset) {
  if (opset < kLeast || opset > kMost)
    throw Error(ErrorKind::invalid,
                concat("opset ", opset, " cannot be written, only ", kLeast, " to ", kMost));
  check(model);
  Model plain;
  plain.parameters = model.parameters;
  plain.name = model.name;
  const auto keep = [&](const Graph& graph, const Node& node) { return has_operator(graph, node, opset); };
  plain.graph = eliminate_dead(decompose(without_calls(model.graph), keep));
  ModelDef file;
  file.ir_version = ir_version(opset);
  file.opsets[""] = opset;
  file.metadata = metadata_of(model);
  file.graph = Emitter(plain, opset).write();
  return file;
}

void write_onnx(const Model& model, const std::string& path, const WriteOptions& options) {
  ModelDef file;
  try {
    file = to_file(model, options.opset);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::invalid) throw;  // the opset that was asked for
    throw Error(error.kind(), concat(path, ": ", error.what())).in_file(path);
  }
  write_file(file, path, options.external_over);
}

std::string onnx_bytes(const Model& model, const WriteOptions& options) {
  return file_bytes(to_file(model, options.opset));
}

}  // namespace temper::onnx
