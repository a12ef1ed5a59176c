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

// Composites that the opset has as one operator; the others are written by their definition.
static bool has_operator(const Node& node, int opset) {
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
  const auto keep = [&](const Graph&, const Node& node) { return has_operator(node, opset); };
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
