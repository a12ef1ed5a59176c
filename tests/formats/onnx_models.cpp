// Writes whole models anew, with inputs and our outputs beside them, for another runtime to run.
//
//   onnx_models FOLDER MODEL...   MODEL.onnx or .onnx.gz -> FOLDER/NAME/written.onnx,
//   test_data_set_K/{input,output}_I.pb
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "base/text.h"
#include "formats/onnx/file.h"
#include "formats/onnx/onnx.h"
#include "nn/models.h"
#include "ops/interpreter/interpret.h"
#include "passes/passes.h"
#include "temper/error.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

// Numbers without a pattern, the same everywhere; integers below `values`.
Tensor synthetic(const Type& type, int64_t values) {
  std::vector<double> reals(static_cast<size_t>(type.shape.elements()));
  std::vector<int64_t> integers(reals.size());
  for (size_t i = 0; i < reals.size(); ++i) {
    const double unit = static_cast<double>(static_cast<uint32_t>((i + 1) * 2654435761u)) / 4294967296.0;
    reals[i] = unit * 2 - 1;
    integers[i] = static_cast<int64_t>(unit * static_cast<double>(values));
  }
  return is_float(type.dtype) ? from_doubles(type, reals) : from_int64s(type, integers);
}

// Ours in double, rounded once, for this many samples.
void write_set(const Model& model, const fs::path& folder, int64_t samples) {
  constexpr int64_t kTokens = 6;
  const Graph graph = specialise(model.graph, {{"N", samples}, {"S", kTokens}});
  fs::create_directories(folder);
  std::vector<Tensor> arguments;
  int inputs = 0;
  for (const Port& port : graph.inputs) {
    const auto parameter = model.parameters.find(port.name);
    arguments.push_back(parameter != model.parameters.end()
                            ? parameter->second
                            : synthetic(graph.type(port.value), integer_values(graph, port.value)));
    if (parameter == model.parameters.end())
      onnx::write_tensor_file({port.name, arguments.back()},
                              (folder / concat("input_", inputs++, ".pb")).string());
  }
  const std::vector<Tensor> results = interpret(graph, arguments);
  for (size_t i = 0; i < results.size(); ++i)
    onnx::write_tensor_file({graph.outputs[i].name, results[i]},
                            (folder / concat("output_", i, ".pb")).string());
}

Model open_model(const std::string& name, const fs::path& scratch) {
  if (nn::is_architecture(name)) return nn::build_model(name, 0);
  if (!name.ends_with(".gz")) return read_model(name);
  const std::string unpacked = (scratch / "read.onnx").string();
  if (std::system(concat("gzip -dc '", name, "' > '", unpacked, "'").c_str()) != 0)
    throw Error(ErrorKind::invalid, concat("cannot unpack ", name));
  return read_model(unpacked);
}

void write_anew(const std::string& given, const fs::path& folder) {
  const std::string name = fs::path(given).filename().string();
  const fs::path own = folder / name;
  fs::create_directories(own);
  const Model model = open_model(given, own);
  write_model(model, (own / "written.onnx").string());
  const Model again = read_model((own / "written.onnx").string());
  for (const auto& [parameter, tensor] : model.parameters)
    if (!again.parameters.contains(parameter))
      throw Error(ErrorKind::internal, concat(name, ": parameter ", parameter, " is lost"));
  write_set(model, own / "test_data_set_0", 1);
  if (!nn::is_architecture(given)) write_set(model, own / "test_data_set_1", 3);
  std::cout << name << ": " << model.graph.size() << " nodes, written and read again " << again.graph.size()
            << '\n';
}

}  // namespace
}  // namespace temper

int main(int count, char** arguments) {
  int status = 0;
  for (int i = 2; i < count; ++i) {
    if (!temper::nn::is_architecture(arguments[i]) && !std::filesystem::exists(arguments[i])) {
      std::cout << "skipped, because there is no " << arguments[i] << '\n';
      return 77;
    }
    try {
      temper::write_anew(arguments[i], arguments[1]);
    } catch (const std::exception& error) {
      std::cout << arguments[i] << ": " << error.what() << '\n';
      status = 1;
    }
  }
  return status;
}
