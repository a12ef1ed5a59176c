#include <cstdio>
#include <deque>
#include <filesystem>

#include "base/text.h"
#include "cli/command.h"
#include "data/npy.h"
#include "formats/onnx/file.h"
#include "ir/op.h"
#include "place/shared_inference.h"
#include "temper/error.h"
#include "tensor/print.h"
#include "train/auto_device.h"
#include "train/inference_model.h"
#include "train/machine.h"
#include "train/open_model.h"

namespace temper::cli {
namespace {

Tensor read_tensor(const std::string& file) {
  return file.ends_with(".pb") ? onnx::parse_tensor_file(file).tensor : read_npy(file);
}

size_t input_named(const std::vector<Port>& ports, const std::string& name) {
  std::vector<std::string> names;
  for (size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].name == name) return i;
    names.push_back(ports[i].name);
  }
  throw Error(ErrorKind::invalid,
              concat("--input: the model has no input '", name, "', only ", join(names, ", ")));
}

// Files as given: NAME=FILE, or in the order of the inputs.
std::vector<Tensor> read_inputs(const Inference& inference, const std::vector<std::string>& given) {
  const std::vector<Port>& ports = inference.inputs();
  std::vector<Tensor> tensors(ports.size());
  size_t next = 0;
  for (const std::string& word : given) {
    const size_t equals = std::filesystem::exists(word) ? std::string::npos : word.find('=');
    if (equals != std::string::npos) {
      tensors[input_named(ports, word.substr(0, equals))] = read_tensor(word.substr(equals + 1));
      continue;
    }
    while (next < ports.size() && !tensors[next].empty()) ++next;
    if (next == ports.size())
      throw Error(ErrorKind::invalid,
                  concat("--input: the model has ", ports.size(), " inputs, more were given"));
    tensors[next] = read_tensor(word);
  }
  for (size_t i = 0; i < ports.size(); ++i) {
    if (tensors[i].empty())
      throw Error(ErrorKind::invalid, concat("--input: nothing given for '", ports[i].name, "' of type ",
                                             to_string(inference.graph().type(ports[i].value))));
  }
  return tensors;
}

// Adds the values of nodes as outputs: one by name, or all.
void expose(Model& model, const std::string& name) {
  Graph& graph = model.graph;
  const auto add = [&](int node) {
    const std::string label = graph.nodes()[static_cast<size_t>(node)].name;
    if (!label.empty() && !graph.find_output(label)) graph.outputs.push_back({label, {node, 0}});
    return !label.empty();
  };
  bool found = false;
  for (int i = 0; i < graph.size(); ++i) {
    const Node& node = graph.nodes()[static_cast<size_t>(i)];
    if (node.op == &input_op || node.op == &constant_op) continue;
    if (name == "all")
      found = add(i) || found;
    else if (node.name == name)
      found = add(i);
  }
  if (!found && !graph.find_output(name) && name != "all")
    throw Error(ErrorKind::not_found,
                concat("--output: the model has no tensor '", name, "' (temper inspect lists them)"));
}

// The results by name, written into `folder` if there is one; the same for people unless `quiet`.
Json tell(const Graph& graph, const std::vector<Tensor>& results, const std::string& folder, bool quiet) {
  if (!folder.empty()) std::filesystem::create_directories(folder);
  Json json = result_head("run");
  json["outputs"] = Json::array();
  for (size_t i = 0; i < results.size(); ++i) {
    const std::string file = folder.empty() ? "" : concat(folder, "/output_", i, ".npy");
    if (!file.empty()) write_npy(file, results[i]);
    Json entry;
    entry["name"] = graph.outputs[i].name;
    entry["file"] = file.empty() ? Json() : Json(file);
    entry["dtype"] = to_string(results[i].dtype());
    entry["shape"] = results[i].shape().sizes();
    json["outputs"].push_back(entry);
    if (!quiet) {
      std::fputs(concat(graph.outputs[i].name, "  ", to_string(results[i].type()), "  ",
                        file.empty() ? to_string(results[i]) : file, "\n")
                     .c_str(),
                 stdout);
    }
  }
  return json;
}

}  // namespace

int run(const std::vector<std::string>& words) {
  Arguments arguments("run", "Any model on raw tensors: .npy files or ONNX .pb tensors in, .npy files out.",
                      "temper run model.onnx --input x.npy --save out", words);
  ModelOptions options;
  Common common;
  std::vector<std::string> inputs;
  std::string folder, output;
  options.declare(arguments);
  arguments.options("input", inputs, "[NAME=]FILE", "one for each input of the model");
  arguments.option("save", folder, "DIR", "where output_0.npy, ... go; without it a summary is printed");
  arguments.option("output", output, "TENSOR|all", "also inner values");
  common.declare(arguments);
  if (!arguments.parse()) return 0;

  const DType precision = choose_precision("precision", options.precision, "run");
  TerminalEvents events(common);
  const std::vector<Device*> devices = choose_devices(known_device(options.device, options.model));
  Model model = open_model({options.model, options.weights, options.shape, options.preprocess, options.labels,
                            static_cast<uint64_t>(options.seed)},
                           events);
  if (!output.empty()) expose(model, output);
  CompileOptions compile;
  compile.threads = choose_threads(options.threads);
  compile.memory_limit = options.memory_bytes();
  // Inner values are those of the file: a folded batch norm has none, and neither has a quantised graph.
  const bool integers = precision == DType::i8;
  if (integers && !output.empty())
    throw Error(ErrorKind::unsupported, "precision: int8 has no inner values for --output; use f32");
  if (integers)
    model = inference_model(*devices[0], model, precision, options.calibrate,
                            static_cast<uint64_t>(options.seed), compile);
  std::deque<Inference> ready;
  std::vector<Inference*> models;
  for (Device* const device : devices)
    models.push_back(&ready.emplace_back(*device, model,
                                         Inference::Options{.compile = compile,
                                                            .fold_batch_norms = output.empty(),
                                                            .precision = integers ? DType::f32 : precision}));
  Inference& inference = ready.front();
  const std::vector<Tensor> given = read_inputs(inference, inputs),
                            results = models.size() > 1 ? run_shared(models, given) : inference.run(given);
  const Json json = tell(inference.graph(), results, folder, common.json);
  return finish(common, json);
}

}  // namespace temper::cli
