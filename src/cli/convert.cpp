#include <cstdio>

#include "base/text.h"
#include "cli/command.h"
#include "formats/format.h"
#include "ir/builder.h"
#include "ops/primitives.h"
#include "report/table.h"
#include "temper/error.h"
#include "train/open_model.h"

namespace temper::cli {

// Parameters in half the bytes; arithmetic stays f32 behind a conversion each.
static Model stored_as_f16(const Model& model) {
  Model result = model;
  result.graph = {};
  Builder b(result.graph);
  std::vector<Value> inputs;
  for (const Port& port : model.graph.inputs) {
    const Type& type = model.graph.type(port.value);
    const auto found = result.parameters.find(port.name);
    if (found == result.parameters.end() || type.dtype != DType::f32) {
      inputs.push_back(b.input(port.name, type));
      continue;
    }
    const Type half{DType::f16, type.shape};
    found->second = from_doubles(half, to_doubles(found->second));
    inputs.push_back(ops::convert(b, b.input(port.name, half), DType::f32));
  }
  const std::vector<Value> outputs = inline_graph(b, model.graph, inputs);
  for (size_t i = 0; i < outputs.size(); ++i) b.output(model.graph.outputs[i].name, outputs[i]);
  return result;
}

int convert(const std::vector<std::string>& words) {
  Arguments arguments("convert", "A model from one file format to another, by the ending of the file's name.",
                      "temper convert resnet18 resnet18.onnx --weights resnet18.safetensors", words);
  ModelSource source;
  Common common;
  std::string out, precision = "f32";
  int64_t opset = 17;
  arguments.word("IN", source.model, "a model: file, folder or architecture");
  arguments.word("OUT", out, "the file to write");
  arguments.option("weights", source.weights, "FILE", "weights of an architecture");
  arguments.option("shape", source.shape, "NAME=1x3x224x224", "fixes free dimensions of an input");
  arguments.option("labels", source.labels, "FILE", "names of the model's classes, one a line");
  arguments.option("preprocess", source.preprocess, "STEPS",
                   "how a picture becomes the input, written into the file");
  arguments.option("opset", opset, "N", "of the ONNX file");
  arguments.option("precision", precision, "f32|f16", "of the stored parameters");
  common.declare(arguments);
  if (!arguments.parse()) return 0;

  TerminalEvents events(common);
  Model model = open_model(source, events);
  if (precision == "f16")
    model = stored_as_f16(model);
  else if (precision != "f32")
    throw Error(ErrorKind::invalid, concat("--precision: expected f32 or f16, found '", precision, "'"));
  WriteOptions options;
  options.opset = static_cast<int>(opset);
  write_model(model, out, options);
  events.clear();
  Json result = result_head("convert");
  result["file"] = out;
  if (!common.json && !common.quiet) std::fputs(concat("wrote ", out, "\n").c_str(), stdout);
  return finish(common, result);
}

}  // namespace temper::cli
