#include "base/check.h"
#include "ir/builder.h"
#include "passes/passes.h"

namespace temper {

static Attributes specialise(const Attributes& attributes, const SymbolSizes& sizes) {
  Attributes result = attributes;
  for (const auto& [name, value] : attributes.entries()) {
    if (const auto* shape = std::get_if<Shape>(&value)) result.set(name, specialise(*shape, sizes));
  }
  return result;
}

Graph specialise(const Graph& graph, const SymbolSizes& sizes) {
  return rewrite(graph, [&](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
    const Node& node = view.node;
    std::vector<Graph> regions;
    for (const Graph& region : node.regions) regions.push_back(specialise(region, sizes));
    return b.emit_all(*node.op, {view.inputs.begin(), view.inputs.end()}, specialise(node.attributes, sizes),
                      node.name, std::move(regions));
  });
}

namespace {

[[noreturn]] void misfit(const Port& port, const Type& expected, const Tensor& found) {
  throw Error(ErrorKind::invalid, concat("input '", port.name, "': expected ", to_string(expected),
                                         ", found ", to_string(found.type())));
}

}  // namespace

SymbolSizes bind_symbols(std::span<const Port> ports, const Graph& graph, std::span<const Tensor> tensors) {
  TEMPER_CHECK(ports.size() == tensors.size(), "one tensor per input");
  SymbolSizes sizes;
  for (size_t i = 0; i < ports.size(); ++i) {
    const Type& type = graph.type(ports[i].value);
    const Tensor& tensor = tensors[i];
    if (tensor.dtype() != type.dtype || tensor.shape().rank() != type.shape.rank())
      misfit(ports[i], type, tensor);
    for (int axis = 0; axis < type.shape.rank(); ++axis) {
      const Dim& dim = type.shape[axis];
      const int64_t size = tensor.shape().size(axis);
      if (dim.is_static()) {
        if (dim.size() != size) misfit(ports[i], type, tensor);
        continue;
      }
      if (dim.factor() == 0 || size % dim.factor() != 0) misfit(ports[i], type, tensor);
      const auto [known, fresh] = sizes.emplace(std::string(dim.symbol_name()), size / dim.factor());
      if (!fresh && known->second != size / dim.factor()) misfit(ports[i], type, tensor);
    }
  }
  return sizes;
}

}  // namespace temper
