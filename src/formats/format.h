#pragma once
// File <-> Model. One table of formats, chosen by file name ending.
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"

namespace temper {

enum class FreeBatch {
  automatic,  // a batch of 1 baked into the file becomes free if every node provably treats samples alone
  required,   // else Error unsupported, naming the node
  keep,       // as the file has it
};

struct ReadOptions {
  FreeBatch free_batch = FreeBatch::automatic;
  std::map<std::string, Shape> shapes;  // of inputs: fixes free dimensions, or gives what the file leaves out
  std::map<std::string, Tensor> values;  // what inputs will hold: used only where an operator needs a shape,
                                         // axes or the like when the graph is built; they stay inputs
  std::vector<std::string>* notes = nullptr;        // what a person should know about how the file was read
  std::vector<std::string>* other_files = nullptr;  // receives the files that hold its external data
};

struct WriteOptions {
  int opset = 17;                            // ONNX: 13 to 21
  int64_t external_over = int64_t{1} << 30;  // ONNX: bytes of tensors past which they go to a second file
};

struct Format {
  std::string_view name;
  std::vector<std::string_view> endings;  // ".onnx"
  bool has_graph;                         // else only parameters: the Model's graph is empty
  Model (*read)(const std::string& path, const ReadOptions&);
  void (*write)(const Model&, const std::string& path, const WriteOptions&);  // null: cannot be written
};

std::span<const Format> formats();

// By ending; a folder with a graph in it is a native model. Error unsupported lists the endings.
const Format& format_of(const std::string& path);

// Errors are of kind not_found, corrupt, unsupported or invalid and name the file and what in it is wrong.
Model read_model(const std::string& path, const ReadOptions& options = {});
void write_model(const Model& model, const std::string& path, const WriteOptions& options = {});
std::map<std::string, Tensor> read_parameters(const std::string& path);  // of any format

// Keys under which files that have string metadata keep what a Model knows.
inline constexpr std::string_view kLabelsKey = "temper.labels";          // a label a line
inline constexpr std::string_view kPreprocessKey = "temper.preprocess";  // as --preprocess

// Moves labels and preprocessing between the fields of a Model and its string metadata.
void take_metadata(Model& model, std::map<std::string, std::string> metadata);
std::map<std::string, std::string> metadata_of(const Model& model);

}  // namespace temper
