#include <filesystem>

#include "base/file.h"
#include "base/text.h"
#include "formats/onnx/file.h"
#include "formats/onnx/protobuf.h"
#include "temper/error.h"

namespace temper::onnx {

static constexpr int64_t kAlignment = 64;     // of tensors in external data
static constexpr int64_t kKeepInside = 1024;  // bytes; smaller tensors stay in the model file
static constexpr std::string_view kProducer = "temper";

namespace {

class FileBuilder {
 public:
  // `external` may be null: then everything goes into the message.
  FileBuilder(FileWriter* external, std::string location)
      : external_(external), location_(std::move(location)) {}

  void model(const ModelDef& model, ::onnx::ModelProto& proto) {
    proto.set_ir_version(model.ir_version);
    proto.set_producer_name(std::string(kProducer));
    for (const auto& [domain, version] : model.opsets) {
      auto* import = proto.add_opset_import();
      import->set_domain(domain);
      import->set_version(version);
    }
    for (const auto& [key, value] : model.metadata) {
      auto* entry = proto.add_metadata_props();
      entry->set_key(key);
      entry->set_value(value);
    }
    graph(model.graph, *proto.mutable_graph());
  }

  void tensor(const std::string& name, const Tensor& tensor, ::onnx::TensorProto& proto,
              bool may_be_external) {
    proto.set_name(name);
    proto.set_data_type(to_number(tensor.dtype()));
    for (const int64_t size : tensor.shape().sizes()) proto.add_dims(size);
    const std::span<const std::byte> bytes(tensor.data(), static_cast<size_t>(tensor.bytes()));
    if (!external_ || !may_be_external || tensor.bytes() < kKeepInside) {
      proto.set_raw_data(bytes.data(), bytes.size());
      return;
    }
    static constexpr std::byte kZeros[kAlignment]{};
    const int64_t padding = (kAlignment - external_->position() % kAlignment) % kAlignment;
    external_->write({kZeros, static_cast<size_t>(padding)});
    proto.set_data_location(::onnx::TensorProto::EXTERNAL);
    entry(proto, "location", location_);
    entry(proto, "offset", concat(external_->position()));
    entry(proto, "length", concat(tensor.bytes()));
    external_->write(bytes);
  }

 private:
  static void entry(::onnx::TensorProto& proto, const std::string& key, const std::string& value) {
    auto* added = proto.add_external_data();
    added->set_key(key);
    added->set_value(value);
  }

  static void value(const ValueDef& value, ::onnx::ValueInfoProto& proto) {
    proto.set_name(value.name);
    auto* type = proto.mutable_type()->mutable_tensor_type();
    type->set_elem_type(to_number(*value.dtype));
    if (!value.shape) return;
    for (const Dim& dim : *value.shape) {
      auto* added = type->mutable_shape()->add_dim();
      if (dim.is_static())
        added->set_dim_value(dim.size());
      else
        added->set_dim_param(to_string(dim));
    }
    type->mutable_shape();  // rank 0 is a shape too
  }

  void graph(const GraphDef& graph, ::onnx::GraphProto& proto) {
    proto.set_name(graph.name);
    for (const ValueDef& input : graph.inputs) value(input, *proto.add_input());
    for (const ValueDef& output : graph.outputs) value(output, *proto.add_output());
    for (const InitializerDef& entry : graph.initializers)
      tensor(entry.name, entry.tensor, *proto.add_initializer(), true);
    for (const NodeDef& entry : graph.nodes) node(entry, *proto.add_node());
  }

  void node(const NodeDef& node, ::onnx::NodeProto& proto) {
    proto.set_name(node.name);
    proto.set_op_type(node.op_type);
    proto.set_domain(node.domain);
    for (const std::string& input : node.inputs) proto.add_input(input);
    for (const std::string& output : node.outputs) proto.add_output(output);
    for (const AttributeDef& entry : node.attributes) attribute(entry, *proto.add_attribute());
  }

  void attribute(const AttributeDef& attribute, ::onnx::AttributeProto& proto) {
    proto.set_name(attribute.name);
    if (const auto* integer = std::get_if<int64_t>(&attribute.value)) {
      proto.set_type(::onnx::AttributeProto::INT);
      proto.set_i(*integer);
    } else if (const auto* real = std::get_if<double>(&attribute.value)) {
      proto.set_type(::onnx::AttributeProto::FLOAT);
      proto.set_f(static_cast<float>(*real));
    } else if (const auto* text = std::get_if<std::string>(&attribute.value)) {
      proto.set_type(::onnx::AttributeProto::STRING);
      proto.set_s(*text);
    } else if (const auto* integers = std::get_if<Ints>(&attribute.value)) {
      proto.set_type(::onnx::AttributeProto::INTS);
      for (const int64_t value : *integers) proto.add_ints(value);
    } else if (const auto* reals = std::get_if<Reals>(&attribute.value)) {
      proto.set_type(::onnx::AttributeProto::FLOATS);
      for (const double value : *reals) proto.add_floats(static_cast<float>(value));
    } else if (const auto* inner = std::get_if<std::shared_ptr<const GraphDef>>(&attribute.value)) {
      proto.set_type(::onnx::AttributeProto::GRAPH);
      graph(**inner, *proto.mutable_g());
    } else {
      proto.set_type(::onnx::AttributeProto::TENSOR);
      tensor({}, std::get<Tensor>(attribute.value), *proto.mutable_t(), false);
    }
  }

  FileWriter* external_;
  std::string location_;
};

}  // namespace

template <class Message>
static std::string serialise(const Message& message, const std::string& path) {
  std::string bytes;
  if (!message.SerializeToString(&bytes))
    throw Error(ErrorKind::exhausted, concat(path, ": more than 2 GB outside of tensors cannot be written"))
        .in_file(path);
  return bytes;
}

void write_file(const ModelDef& model, const std::string& path, int64_t external_over) {
  int64_t total = 0;
  for (const InitializerDef& entry : model.graph.initializers) total += entry.tensor.bytes();
  ::onnx::ModelProto proto;
  std::optional<FileWriter> external;
  const std::string data = path + ".data";
  if (total > external_over) external.emplace(data);
  FileBuilder(external ? &*external : nullptr, std::filesystem::path(data).filename().string())
      .model(model, proto);
  FileWriter file(path);
  file.write(serialise(proto, path));
  if (external) external->commit();
  file.commit();
}

std::string file_bytes(const ModelDef& model) {
  ::onnx::ModelProto proto;
  FileBuilder(nullptr, {}).model(model, proto);
  return serialise(proto, model.graph.name);
}

void write_tensor_file(const NamedTensor& tensor, const std::string& path) {
  ::onnx::TensorProto proto;
  FileBuilder(nullptr, {}).tensor(tensor.name, tensor.tensor, proto, false);
  temper::write_file(path, serialise(proto, path));
}

}  // namespace temper::onnx
