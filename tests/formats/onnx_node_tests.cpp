// Runs ONNX's operator tests (shared/data/onnx_conformance) through the reader and the interpreter, and
// compares what passes and what fails with a committed list. A test that passes though it is listed to fail
// is as wrong as one that fails though it is listed to pass.
//
//   onnx_node_tests LIST FOLDER [--update]   FOLDER: where the tests are unpacked; --update writes LIST anew
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>

#include "base/text.h"
#include "formats/onnx/file.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/order.h"
#include "ops/interpreter/interpret.h"
#include "support/data.h"
#include "temper/error.h"
#include "tensor/compare.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

constexpr double kRelative = 1e-3, kAbsolute = 1e-7;  // ONNX's own
constexpr int kSkipped = 77;

// The first two tiers of operators: what images and transformers need.
const std::set<std::string> kTiers{"Conv",
                                   "ConvTranspose",
                                   "BatchNormalization",
                                   "Relu",
                                   "Clip",
                                   "Sigmoid",
                                   "HardSigmoid",
                                   "HardSwish",
                                   "LeakyRelu",
                                   "MaxPool",
                                   "AveragePool",
                                   "GlobalAveragePool",
                                   "Gemm",
                                   "MatMul",
                                   "Add",
                                   "Sub",
                                   "Mul",
                                   "Div",
                                   "Concat",
                                   "Flatten",
                                   "Reshape",
                                   "Transpose",
                                   "Pad",
                                   "Resize",
                                   "ReduceMean",
                                   "Softmax",
                                   "Dropout",
                                   "Identity",
                                   "Constant",
                                   "LayerNormalization",
                                   "Erf",
                                   "Tanh",
                                   "Pow",
                                   "Sqrt",
                                   "Gather",
                                   "Slice",
                                   "Split",
                                   "Squeeze",
                                   "Unsqueeze",
                                   "Expand",
                                   "Where",
                                   "Equal",
                                   "Not",
                                   "Cast",
                                   "Shape",
                                   "ConstantOfShape",
                                   "Range",
                                   "Trilu",
                                   "Sin",
                                   "Cos",
                                   "Neg",
                                   "Einsum",
                                   "Mod",
                                   "ScatterND",
                                   "LogSoftmax"};

std::vector<Tensor> read_tensors(const fs::path& folder, const std::string& prefix) {
  std::vector<Tensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = folder / concat(prefix, i, ".pb");
    if (!fs::exists(path)) return tensors;
    tensors.push_back(onnx::parse_tensor_file(path.string()).tensor);
  }
}

// One data set of one test; throws on any difference.
void run_set(const std::string& file, const onnx::ModelDef& parsed, const fs::path& set) {
  const std::vector<Tensor> inputs = read_tensors(set, "input_"), expected = read_tensors(set, "output_");
  ReadOptions options;
  options.free_batch = FreeBatch::keep;
  std::map<std::string, Tensor> given;
  for (size_t i = 0; i < inputs.size() && i < parsed.graph.inputs.size(); ++i) {
    const std::string& name = parsed.graph.inputs[i].name;
    given[name] = options.values[name] = inputs[i];
    options.shapes[name] = inputs[i].shape();
  }
  const Model model = onnx::read_onnx(file, options);
  given.insert(model.parameters.begin(), model.parameters.end());
  std::vector<Tensor> arguments;
  for (const Port& port : model.graph.inputs) arguments.push_back(given.at(port.name));
  const std::vector<Tensor> results = interpret(model.graph, arguments);
  if (results.size() < expected.size())
    throw Error(ErrorKind::internal, concat(results.size(), " outputs of ", expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) {
    std::string why;
    if (!close(results[i], expected[i], kRelative, kAbsolute, &why))
      throw Error(ErrorKind::internal, concat("output ", i, ": ", why));
  }
}

// Empty if the test passes, else why not.
std::string run_test(const fs::path& folder) {
  try {
    const std::string file = (folder / "model.onnx").string();
    const onnx::ModelDef parsed = onnx::parse_file(file);
    int sets = 0;
    for (; fs::exists(folder / concat("test_data_set_", sets)); ++sets)
      run_set(file, parsed, folder / concat("test_data_set_", sets));
    return sets > 0 ? "" : "no data";
  } catch (const std::exception& error) {
    std::string why = error.what();
    for (size_t at; (at = why.find(folder.parent_path().string() + "/")) != std::string::npos;)
      why.erase(at, folder.parent_path().string().size() + 1);
    for (char& letter : why) letter = letter == '\n' ? ' ' : letter;
    const std::string own = folder.filename().string() + "/model.onnx: ";
    return starts_with(why, own) ? why.substr(own.size()) : why;
  }
}

bool in_tiers(const fs::path& folder) {
  try {
    for (const onnx::NodeDef& node : onnx::parse_file((folder / "model.onnx").string()).graph.nodes)
      if (!node.domain.empty() || !kTiers.contains(node.op_type)) return false;
    return true;
  } catch (const Error&) {
    return false;
  }
}

// "pass NAME" or "fail NAME: reason"
std::map<std::string, bool> read_list(const std::string& path) {
  std::map<std::string, bool> list;
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::string name =
        line.substr(5, line.find(':') == std::string::npos ? std::string::npos : line.find(':') - 5);
    list[name] = starts_with(line, "pass ");
  }
  return list;
}

void write_list(const std::string& path, const std::map<std::string, std::string>& results) {
  std::ofstream stream(path);
  stream << "# ONNX's operator tests: what passes, and what fails and why. Checked by onnx_node_tests; "
            "--update writes it.\n";
  for (const auto& [name, why] : results)
    stream << (why.empty() ? "pass " : "fail ") << name << (why.empty() ? "" : ": ") << why << '\n';
}

int compare_lists(const std::map<std::string, bool>& expected,
                  const std::map<std::string, std::string>& results) {
  int wrong = 0;
  for (const auto& [name, why] : results) {
    const auto listed = expected.find(name);
    if (listed == expected.end()) {
      std::cout << "not listed: " << name << '\n';
    } else if (listed->second && !why.empty()) {
      std::cout << "should pass: " << name << ": " << why << '\n';
    } else if (!listed->second && why.empty()) {
      std::cout << "listed to fail, but passes: " << name << '\n';
    } else {
      continue;
    }
    ++wrong;
  }
  for (const auto& [name, passes] : expected) {
    if (results.contains(name)) continue;
    std::cout << "listed, but absent: " << name << '\n';
    ++wrong;
  }
  return wrong;
}

int run(const std::string& list, const fs::path& folder, bool update) {
  const std::string archive = shared_data("onnx_conformance/onnx_node_tests.tar.gz").string();
  if (!fs::exists(archive)) {
    std::cout << "skipped, because shared/data/onnx_conformance is absent\n";
    return kSkipped;
  }
  fs::create_directories(folder);
  if (std::system(concat("tar -xzf '", archive, "' -C '", folder.string(), "'").c_str()) != 0) {
    std::cout << "cannot unpack " << archive << '\n';
    return 1;
  }
  std::map<std::string, std::string> results;
  int passed = 0, tiers = 0, passed_tiers = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().filename() != "model.onnx") continue;
    const fs::path test = entry.path().parent_path();
    const std::string why = results[test.filename().string()] = run_test(test);
    const bool tier = in_tiers(test);
    passed += why.empty();
    tiers += tier;
    passed_tiers += tier && why.empty();
  }
  if (update) write_list(list, results);
  const int wrong = compare_lists(read_list(list), results);
  std::cout << passed << " of " << results.size() << " tests pass; of the " << tiers
            << " whose operators are in the first two tiers, " << passed_tiers << "; " << wrong
            << " differ from the list\n";
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace temper

int main(int count, char** arguments) {
  if (count < 3) {
    std::fprintf(stderr, "usage: %s LIST FOLDER [--update]\n", arguments[0]);
    return 2;
  }
  return temper::run(arguments[1], arguments[2], count > 3 && std::string(arguments[3]) == "--update");
}
