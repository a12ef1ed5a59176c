// Slow kernels for every primitive by its definition. Delete this file when kernels/ defines these functions.
#include "base/check.h"
#include "devices/cpu/kernel.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

Array to_array(const Type& type, const void* data) {
  auto storage = std::make_shared<Storage>();
  storage->data = const_cast<void*>(data);
  storage->bytes = byte_size(type);
  const Tensor tensor(type, storage);
  Array array{.type = type};
  if (is_float(type.dtype)) {
    array.reals = to_doubles(tensor);
  } else {
    array.ints = to_int64s(tensor);
  }
  return array;
}

class DefinitionKernel : public Kernel {
 public:
  DefinitionKernel(const KernelRequest& request)
      : node_(request.graph.nodes()[static_cast<size_t>(request.cluster.nodes[0])]) {
    for (const Value input : node_.inputs) {
      int slot = -1;
      for (size_t i = 0; i < request.inputs.size(); ++i)
        if (request.inputs[i] == input) slot = static_cast<int>(i);
      slots_.push_back(slot);
      types_.push_back(input ? request.graph.type(input) : Type());
    }
    for (size_t i = 0; i < request.outputs.size(); ++i) outputs_.push_back(request.outputs[i].index);
    first_output_ = static_cast<int>(request.inputs.size());
  }

  void run(void* const* buffers, KernelState*) const override {
    std::vector<Array> arrays(node_.inputs.size());
    std::vector<const Array*> inputs;
    for (size_t i = 0; i < arrays.size(); ++i) {
      if (slots_[i] >= 0) arrays[i] = to_array(types_[i], buffers[slots_[i]]);
      inputs.push_back(slots_[i] >= 0 ? &arrays[i] : nullptr);
    }
    const std::vector<Array> results = node_.op->evaluate({node_, inputs, node_.outputs, {}});
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const Array& array = results[static_cast<size_t>(outputs_[i])];
      const Tensor tensor = is_float(array.type.dtype) ? from_doubles(array.type, array.reals)
                                                       : from_int64s(array.type, array.ints);
      std::copy(tensor.data(), tensor.data() + tensor.bytes(),
                static_cast<std::byte*>(buffers[static_cast<size_t>(first_output_) + i]));
    }
  }

 private:
  Node node_;
  std::vector<int> slots_, outputs_;
  std::vector<Type> types_;
  int first_output_;
};

}  // namespace

Claim claim_kernel(const Graph&, const Node& node) {
  if (!node.op->primitive) return {Claim::decompose, "no kernel"};
  if (!node.regions.empty()) return {Claim::refuse, "control flow has no kernel"};
  return {Claim::kernel, "by its definition"};
}

std::vector<Cluster> fuse(const Graph& graph, const std::vector<bool>& taken) {
  std::vector<Cluster> clusters;
  for (int i = 0; i < graph.size(); ++i)
    if (!taken[static_cast<size_t>(i)])
      clusters.push_back({{i}, std::string(graph.nodes()[static_cast<size_t>(i)].op->name)});
  return clusters;
}

Accepts accepts(const Graph& graph, const Cluster& cluster) {
  const Node& node = graph.nodes()[static_cast<size_t>(cluster.nodes[0])];
  for (const Value input : node.inputs)
    if (graph.type(input).shape != node.outputs[0].shape) return Accepts::row_major;
  return Accepts::any;
}

bool in_place(const Graph&, const Cluster&, Value, Value) { return false; }

std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) {
  return std::make_unique<DefinitionKernel>(request);
}

}  // namespace temper::cpu
