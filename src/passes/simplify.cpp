// Dead nodes, equal nodes, decomposition.
#include <set>

#include "ir/builder.h"
#include "passes/passes.h"

namespace temper {

static std::vector<bool> live_nodes(const Graph& graph) {
  std::vector<bool> live(static_cast<size_t>(graph.size()));
  for (const Port& port : graph.outputs) live[static_cast<size_t>(port.value.node)] = true;
  for (size_t i = live.size(); i-- > 0;) {
    const Node& node = graph.nodes()[i];
    if (node.op->random_or_effect) live[i] = true;
    if (!live[i]) continue;
    for (Value input : node.inputs) {
      if (input) live[static_cast<size_t>(input.node)] = true;
    }
  }
  return live;
}

Graph eliminate_dead(const Graph& graph) {
  std::set<const Node*> dead;
  const std::vector<bool> live = live_nodes(graph);
  for (size_t i = 0; i < live.size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (!live[i] && node.op != &input_op) dead.insert(&node);
  }
  return rewrite(graph, [&](Builder&, const NodeView& view) -> std::optional<std::vector<Value>> {
    if (!dead.contains(&view.node)) return std::nullopt;
    return std::vector<Value>(view.node.outputs.size());  // none: nobody asks
  });
}

Graph merge_common(const Graph& graph) {
  return rewrite(graph, [](Builder&, const NodeView&) { return std::optional<std::vector<Value>>(); });
}

Graph decompose(const Graph& graph, const std::function<bool(const Graph&, const Node&)>& keep) {
  Graph current = graph;
  for (bool changed = true; changed;) {
    changed = false;
    const auto expand = [&](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
      const Node& node = view.node;
      if (node.op->primitive || keep(current, node)) return std::nullopt;
      changed = true;
      return node.op->decompose(b, view);
    };
    current = rewrite(current, expand, false);  // `keep` is asked about nodes of the graph it is given
  }
  for (int i = 0; i < current.size(); ++i)
    for (Graph& region : current.node({i, 0}).regions) region = decompose(region, keep);
  return current;
}

}  // namespace temper
