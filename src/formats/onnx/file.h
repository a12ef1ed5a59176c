#pragma once
// What stands in an ONNX file, as plain structs: protobuf stays behind this header.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ir/attributes.h"
#include "temper/tensor.h"

namespace temper::onnx {

struct GraphDef;

// monostate: a kind of value that temper has no use for; `kind` names it.
struct AttributeDef {
  std::string name;
  std::variant<std::monostate, int64_t, double, std::string, Tensor, Ints, Reals, std::vector<std::string>,
               std::shared_ptr<const GraphDef>>
      value;
  std::string kind = {};
};

struct NodeDef {
  std::string name, op_type, domain;         // domain "" is ONNX's own
  std::vector<std::string> inputs, outputs;  // "" is an absent one
  std::vector<AttributeDef> attributes;
};

// A graph input or output. Without a type `problem` says why ("a sequence").
struct ValueDef {
  std::string name;
  std::optional<DType> dtype;
  std::optional<Shape> shape;  // none: the file does not say; a free dimension is a symbol
  std::string problem = {};
};

struct InitializerDef {
  std::string name;
  Tensor tensor;             // empty if there is a problem
  std::string problem = {};  // "strings"
};

struct GraphDef {
  std::string name;
  std::vector<ValueDef> inputs, outputs;
  std::vector<InitializerDef> initializers;
  std::vector<NodeDef> nodes;
};

// A function of the file itself: a node of this name and domain stands for its body.
struct FunctionDef {
  std::string name, domain;
  std::vector<std::string> inputs, outputs;
  std::vector<NodeDef> nodes;  // an attribute of kind "reference" holds the name of the function's attribute
  std::map<std::string, int64_t> opsets;
};

struct ModelDef {
  int64_t ir_version = 0;
  std::map<std::string, int64_t> opsets;  // by domain
  std::map<std::string, std::string> metadata;
  GraphDef graph;
  std::vector<FunctionDef> functions;
  std::vector<std::string> other_files = {};  // that hold some of its tensors
};

// Error corrupt or invalid names the file and what is wrong in it. Large tensors keep the bytes they came in:
// those of the parsed file, or external data mapped read-only (only from within the file's folder).
ModelDef parse_file(const std::string& path);
ModelDef parse_bytes(std::string_view bytes,
                     const std::string& path);  // path: for messages and external data

// A TensorProto of its own, as ONNX's test data and `temper run` use.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};
NamedTensor parse_tensor_file(const std::string& path);

// Initialisers past `external_over` bytes in all go to `path`.data beside the file. The same model gives the
// same bytes. Both files are complete before either takes its name.
void write_file(const ModelDef& model, const std::string& path, int64_t external_over);
std::string file_bytes(const ModelDef& model);  // without external data
void write_tensor_file(const NamedTensor& tensor, const std::string& path);

// ONNX's number of an element type, and back; none if it has none here.
int to_number(DType dtype);
std::optional<DType> dtype_of_number(int number);
std::string describe_number(int number);  // "strings", "element type 14"

}  // namespace temper::onnx
