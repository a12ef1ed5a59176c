// Runs ONNX's operator tests (shared/data/onnx_conformance) through the reader and the interpreter, then
// writes each model and does the same with what was written. A committed list says what to expect; a test
// that does better than listed is as wrong as one that does worse.
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

struct DataSet {
  std::map<std::string, Tensor> inputs;
  std::vector<Tensor> outputs;
};

DataSet read_set(const onnx::ModelDef& file, const fs::path& folder) {
  const std::vector<Tensor> inputs = read_tensors(folder, "input_");
  DataSet set{{}, read_tensors(folder, "output_")};
  for (size_t i = 0; i < inputs.size() && i < file.graph.inputs.size(); ++i)
    set.inputs[file.graph.inputs[i].name] = inputs[i];
  return set;
}

// Throws on any difference.
void compare(const Model& model, const DataSet& set) {
  std::vector<Tensor> arguments;
  for (const Port& port : model.graph.inputs) {
    const auto parameter = model.parameters.find(port.name);
    arguments.push_back(parameter != model.parameters.end() ? parameter->second : set.inputs.at(port.name));
  }
  const std::vector<Tensor> results = interpret(model.graph, arguments);
  if (results.size() < set.outputs.size())
    throw Error(ErrorKind::internal, concat(results.size(), " outputs of ", set.outputs.size()));
  for (size_t i = 0; i < set.outputs.size(); ++i) {
    std::string why;
    if (!close(results[i], set.outputs[i], kRelative, kAbsolute, &why))
      throw Error(ErrorKind::internal, concat("output ", i, ": ", why));
  }
}

// In the oldest opset that can say it.
std::string written_somehow(const Model& model) {
  WriteOptions options;
  try {
    return onnx::onnx_bytes(model, options);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    options.opset = 21;
    return onnx::onnx_bytes(model, options);
  }
}

// "pass": as read and as written again; "reads": only as read; "fail": not even that.
struct Outcome {
  std::string word, why;
};

std::string one_line(std::string why, const fs::path& folder) {
  for (const std::string& path :
       {(folder / "model.onnx: ").string(), (folder / "written.onnx: ").string(), folder.string() + "/"})
    for (size_t at; (at = why.find(path)) != std::string::npos;) why.erase(at, path.size());
  for (char& letter : why) letter = letter == '\n' ? ' ' : letter;
  return why;
}

Outcome run_test(const fs::path& folder) {
  Outcome outcome{"fail", ""};
  try {
    const std::string file = (folder / "model.onnx").string(), written = (folder / "written.onnx").string();
    const onnx::ModelDef parsed = onnx::parse_file(file);
    const DataSet set = read_set(parsed, folder / "test_data_set_0");
    ReadOptions options;
    options.free_batch = FreeBatch::keep;
    options.values = set.inputs;
    for (const auto& [name, tensor] : set.inputs) options.shapes[name] = tensor.shape();
    const Model model = onnx::read_onnx(file, options);
    compare(model, set);
    outcome.word = "reads";
    const std::string bytes = written_somehow(model);
    compare(onnx::read_onnx(bytes, written, options), set);
    std::ofstream(written, std::ios::binary) << bytes;
    return {"pass", ""};
  } catch (const std::exception& error) {
    outcome.why = one_line(error.what(), folder);
    return outcome;
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

// Lines of "WORD NAME" or "WORD NAME: reason".
std::map<std::string, std::string> read_list(const std::string& path) {
  std::map<std::string, std::string> list;
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) {
    const size_t space = line.find(' ');
    if (line.empty() || line[0] == '#' || space == std::string::npos) continue;
    list[line.substr(space + 1,
                     line.find(':') == std::string::npos ? std::string::npos : line.find(':') - space - 1)] =
        line.substr(0, space);
  }
  return list;
}

void write_list(const std::string& path, const std::map<std::string, Outcome>& outcomes) {
  std::ofstream stream(path);
  stream << "# ONNX's operator tests, checked by onnx_node_tests (--update writes this file).\n"
            "# pass: as read, and as read, written and read again; reads: only as read; fail: neither. Then "
            "why.\n";
  for (const auto& [name, outcome] : outcomes)
    stream << outcome.word << ' ' << name << (outcome.why.empty() ? "" : ": ") << outcome.why << '\n';
}

int compare_lists(const std::map<std::string, std::string>& expected,
                  const std::map<std::string, Outcome>& outcomes) {
  int wrong = 0;
  for (const auto& [name, outcome] : outcomes) {
    const auto listed = expected.find(name);
    if (listed != expected.end() && listed->second == outcome.word) continue;
    std::cout << name << ": listed as '" << (listed == expected.end() ? "nothing" : listed->second)
              << "', found '" << outcome.word << "' " << outcome.why << '\n';
    ++wrong;
  }
  for (const auto& [name, word] : expected) {
    if (outcomes.contains(name)) continue;
    std::cout << name << ": listed, but absent\n";
    ++wrong;
  }
  return wrong;
}

int run(const std::string& list, const fs::path& folder, bool update) {
  const std::string archive = shared_data("onnx_conformance/onnx_node_tests.tar.gz").string();
  if (!fs::exists(archive)) {
    std::cout << "skipped, because there is no " << archive << '\n';
    return kSkipped;
  }
  fs::create_directories(folder);
  if (std::system(concat("tar -xzf '", archive, "' -C '", folder.string(), "'").c_str()) != 0) {
    std::cout << "cannot unpack " << archive << '\n';
    return 1;
  }
  std::map<std::string, Outcome> outcomes;
  int read = 0, written = 0, tiers = 0, read_tiers = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().filename() != "model.onnx") continue;
    const fs::path test = entry.path().parent_path();
    const Outcome outcome = outcomes[test.filename().string()] = run_test(test);
    const bool reads = outcome.word != "fail", tier = in_tiers(test);
    read += reads;
    written += outcome.word == "pass";
    tiers += tier;
    read_tiers += tier && reads;
  }
  if (update) write_list(list, outcomes);
  const int wrong = compare_lists(read_list(list), outcomes);
  std::cout << read << " of " << outcomes.size() << " tests pass (" << written << " also as written); of the "
            << tiers << " whose operators are in the first two tiers, " << read_tiers << "; " << wrong
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
