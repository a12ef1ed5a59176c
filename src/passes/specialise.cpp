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

}  // namespace temper
