#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/stubs/logging.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "base/threads.h"
#include "formats/onnx/lean.h"
#include "formats/onnx/parse_tensor.h"
#include "temper/error.h"

namespace temper::onnx {

namespace {

class FileParser {
 public:
  FileParser(const std::string& path)
      : path_(path), external_{std::filesystem::path(path).parent_path().string()} {}

  // left_out: by initialiser of the graph; empty: the messages hold all.
  ModelDef model(::onnx::ModelProto& proto, std::vector<LeftOut> left_out) {
    left_out_ = std::move(left_out);
    return model(proto);
  }

  ModelDef model(::onnx::ModelProto& proto) {
    ModelDef model;
    model.ir_version = proto.ir_version();
    model.opsets = opsets(proto.opset_import());
    for (const auto& entry : proto.metadata_props()) model.metadata[entry.key()] = entry.value();
    model.graph = graph(*proto.mutable_graph());
    for (auto& function : *proto.mutable_functions()) model.functions.push_back(this->function(function));
    for (const auto& [name, file] : external_.files) model.other_files.push_back(file->path());
    return model;
  }

  InitializerDef tensor(::onnx::TensorProto& proto) { return parse_tensor(proto, path_, external_); }

 private:
  template <class Imports>
  static std::map<std::string, int64_t> opsets(const Imports& imports) {
    std::map<std::string, int64_t> result;
    for (const auto& import : imports) result[domain_of(import.domain())] = import.version();
    return result;
  }

  static std::string domain_of(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

  GraphDef graph(::onnx::GraphProto& proto) {
    GraphDef graph;
    graph.name = proto.name();
    for (const auto& value : proto.input()) graph.inputs.push_back(this->value(value));
    for (const auto& value : proto.output()) graph.outputs.push_back(this->value(value));
    const std::vector<LeftOut> left_out =
        std::exchange(left_out_, {});  // of the first, which is the outermost
    for (int i = 0; i < proto.initializer_size(); ++i) {
      ::onnx::TensorProto& entry = *proto.mutable_initializer(i);
      const auto at = static_cast<size_t>(i);
      graph.initializers.push_back(parse_tensor(entry, concat(path_, ": initialiser ", entry.name()),
                                                external_, at < left_out.size() ? left_out[at] : LeftOut()));
    }
    for (auto& entry : *proto.mutable_sparse_initializer())
      graph.initializers.push_back(
          parse_sparse(entry, concat(path_, ": sparse initialiser ", entry.values().name()), external_));
    for (auto& node : *proto.mutable_node()) graph.nodes.push_back(this->node(node));
    return graph;
  }

  FunctionDef function(::onnx::FunctionProto& proto) {
    FunctionDef function{proto.name(), domain_of(proto.domain()), {}, {}, {}, opsets(proto.opset_import())};
    function.inputs.assign(proto.input().begin(), proto.input().end());
    function.outputs.assign(proto.output().begin(), proto.output().end());
    for (auto& node : *proto.mutable_node()) function.nodes.push_back(this->node(node));
    return function;
  }

  NodeDef node(::onnx::NodeProto& proto) {
    NodeDef node{proto.name(), proto.op_type(), domain_of(proto.domain()), {}, {}, {}};
    node.inputs.assign(proto.input().begin(), proto.input().end());
    node.outputs.assign(proto.output().begin(), proto.output().end());
    for (auto& entry : *proto.mutable_attribute()) node.attributes.push_back(attribute(entry, node.name));
    return node;
  }

  AttributeDef attribute(::onnx::AttributeProto& proto, const std::string& node) {
    AttributeDef result{proto.name(), {}};
    if (!proto.ref_attr_name().empty()) {
      result.kind = "reference";
      result.value = proto.ref_attr_name();
      return result;
    }
    switch (proto.type()) {
      case ::onnx::AttributeProto::INT:
        result.value.emplace<int64_t>(proto.i());
        break;
      case ::onnx::AttributeProto::FLOAT:
        result.value.emplace<double>(proto.f());
        break;
      case ::onnx::AttributeProto::STRING:
        result.value.emplace<std::string>(proto.s());
        break;
      case ::onnx::AttributeProto::INTS:
        result.value.emplace<Ints>(proto.ints().begin(), proto.ints().end());
        break;
      case ::onnx::AttributeProto::FLOATS:
        result.value.emplace<Reals>(proto.floats().begin(), proto.floats().end());
        break;
      case ::onnx::AttributeProto::STRINGS:
        result.value.emplace<std::vector<std::string>>(proto.strings().begin(), proto.strings().end());
        break;
      case ::onnx::AttributeProto::TENSOR: {
        const std::string what = concat(path_, ": attribute ", proto.name(), " of node ", node);
        InitializerDef tensor = parse_tensor(*proto.mutable_t(), what, external_);
        if (tensor.problem.empty()) result.value = std::move(tensor.tensor);
        result.kind = std::move(tensor.problem);
        break;
      }
      case ::onnx::AttributeProto::SPARSE_TENSOR: {
        const std::string what = concat(path_, ": attribute ", proto.name(), " of node ", node);
        InitializerDef tensor = parse_sparse(*proto.mutable_sparse_tensor(), what, external_);
        if (tensor.problem.empty()) result.value = std::move(tensor.tensor);
        result.kind = std::move(tensor.problem);
        break;
      }
      case ::onnx::AttributeProto::GRAPH:
        result.value = std::make_shared<const GraphDef>(graph(*proto.mutable_g()));
        break;
      default:
        result.kind = "a value of a kind that no operator here has";
    }
    return result;
  }

  static ValueDef value(const ::onnx::ValueInfoProto& proto) {
    ValueDef result{proto.name(), {}, {}};
    if (!proto.type().has_tensor_type()) {
      result.problem = proto.type().value_case() == 0 ? "no type" : "a sequence, map or optional";
      return result;
    }
    const auto& type = proto.type().tensor_type();
    result.dtype = dtype_of_number(type.elem_type());
    if (!result.dtype) result.problem = describe_number(type.elem_type());
    if (!type.has_shape()) return result;
    Shape shape;
    for (const auto& dim : type.shape().dim()) {
      const std::string axis_name = concat(proto.name(), "_dim_", shape.rank());
      if (dim.has_dim_value() && dim.dim_value() >= 0)
        shape.push_back(dim.dim_value());
      else
        shape.push_back(Dim::symbol(dim.dim_param().empty() ? axis_name : dim.dim_param()));
    }
    result.shape = std::move(shape);
    return result;
  }

  std::string path_;
  ExternalData external_;
  std::vector<LeftOut> left_out_;
};

// Initialisers lie anywhere in a file. Those that do not lie where their elements may are moved together, in
// one piece of memory: many small ones would cost a page fault for each 4 KB.
std::vector<LeftOut> aligned(const ::onnx::GraphProto& graph, const std::vector<std::string_view>& all,
                             const std::shared_ptr<void>& file) {
  constexpr size_t kAlignment = 64;
  const auto lies_well = [&](size_t i) {
    const std::optional<DType> dtype = dtype_of_number(graph.initializer(static_cast<int>(i)).data_type());
    const size_t element = dtype ? std::max<size_t>(1, static_cast<size_t>(bit_width(*dtype)) / 8) : 1;
    return file && reinterpret_cast<uintptr_t>(all[i].data()) % element == 0;
  };
  std::vector<size_t> moved;
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
  std::vector<LeftOut> result;
  for (size_t i = 0; i < all.size(); ++i) {
    result.push_back({all[i], file});
    if (all[i].empty() || lies_well(i)) continue;
    moved.push_back(i);
    offsets.push_back(bytes);
    bytes += static_cast<int64_t>((all[i].size() + kAlignment - 1) / kAlignment * kAlignment);
  }
  Tensor memory(Type{DType::u8, {bytes}});
  std::byte* const to = memory.mutable_data();
  parallel_for_each(static_cast<int64_t>(moved.size()), [&](int64_t n) {
    const size_t i = moved[static_cast<size_t>(n)];
    std::byte* const place = to + offsets[static_cast<size_t>(n)];
    std::memcpy(place, all[i].data(), all[i].size());
    result[i] = {{reinterpret_cast<const char*>(place), all[i].size()}, memory.storage()};
  });
  return result;
}

}  // namespace

// Parses all of `bytes`. Protobuf's own complaints go nowhere: the caller says what is wrong.
template <class Message>
static bool parse_message(Message& message, std::string_view bytes) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) return false;
  const google::protobuf::LogSilencer silence;
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  stream.SetTotalBytesLimit(std::numeric_limits<int>::max());
  return message.ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage();
}

// file: keeps `bytes`, or null if nobody does for long.
static ModelDef parse(std::string_view bytes, const std::string& path, const std::shared_ptr<void>& file) {
  ::onnx::ModelProto proto;
  if (bytes.empty()) throw Error(ErrorKind::corrupt, concat(path, ": the file is empty")).in_file(path);
  const std::optional<LeanFile> without = lean(bytes);
  if (!parse_message(proto, without ? std::string_view(without->message) : bytes) || !proto.has_graph())
    throw Error(ErrorKind::corrupt,
                concat(path, ": not an ONNX file, or a damaged one (", bytes.size(), " bytes)"))
        .in_file(path);
  try {
    FileParser parser(path);
    if (!without) return parser.model(proto);
    TEMPER_CHECK(proto.graph().initializer_size() == static_cast<int>(without->bytes.size()));
    return parser.model(proto, aligned(proto.graph(), without->bytes, file));
  } catch (Error& error) {
    if (error.file().empty()) error.in_file(path);
    throw;
  }
}

ModelDef parse_bytes(std::string_view bytes, const std::string& path) { return parse(bytes, path, nullptr); }

ModelDef parse_file(const std::string& path) {
  const auto file = std::make_shared<MappedFile>(path);
  return parse(file->text(), path, file);
}

NamedTensor parse_tensor_file(const std::string& path) {
  const MappedFile file(path);
  ::onnx::TensorProto proto;
  if (!parse_message(proto, file.text()) || !proto.has_data_type())
    throw Error(ErrorKind::corrupt, concat(path, ": not an ONNX tensor, or a damaged one")).in_file(path);
  InitializerDef tensor = FileParser(path).tensor(proto);
  if (!tensor.problem.empty())
    throw Error(ErrorKind::unsupported, concat(path, ": temper has no tensors of ", tensor.problem))
        .in_file(path);
  return {tensor.name, std::move(tensor.tensor)};
}

}  // namespace temper::onnx
