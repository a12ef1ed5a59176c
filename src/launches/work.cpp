#include "launches/work.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <set>

#include "base/check.h"
#include "codegen/fuse.h"
#include "codegen/node_text.h"
#include "ir/op.h"

namespace temper::launches {

namespace {

std::vector<Work> pieces_of(const Vendor& vendor, const TargetFacts& facts, const Graph& graph) {
  std::vector<bool> taken(static_cast<size_t>(graph.size()), false);
  std::vector<Work> pieces;
  if (vendor.library_calls)
    for (auto& call : vendor.library_calls(facts, graph)) {
      for (const int node : call->cluster.nodes) taken[static_cast<size_t>(node)] = true;
      pieces.push_back({.cluster = call->cluster, .call = std::move(call)});
    }
  for (int i = 0; i < graph.size(); ++i) {
    if (taken[static_cast<size_t>(i)]) continue;
    const Node& node = graph.nodes()[static_cast<size_t>(i)];
    const bool alone = is_control(node) || has_node_kernels(node);
    if (alone) pieces.push_back({.cluster = {{i}, std::string(node.op->name)}});
    taken[static_cast<size_t>(i)] = alone || is_leaf(node) || is_alias(node);
  }
  const size_t most = max_operands(vendor, facts) - 1;  // a tape's kernel also takes a number
  for (Cluster& cluster : fuse_maps(graph, taken, most)) pieces.push_back({.cluster = std::move(cluster)});
  return pieces;
}

bool repeats(const Cluster& cluster, int node) { return std::ranges::binary_search(cluster.repeated, node); }

std::vector<Value> inputs_of(const Graph& graph, const Cluster& cluster) {
  std::vector<Value> inputs;
  std::set<Value> seen;
  const bool alone = cluster.nodes.size() == 1 &&
                     !is_leaf(graph.nodes()[static_cast<size_t>(cluster.nodes[0])]) &&
                     (is_control(graph.nodes()[static_cast<size_t>(cluster.nodes[0])]) ||
                      has_node_kernels(graph.nodes()[static_cast<size_t>(cluster.nodes[0])]));
  if (alone) return graph.nodes()[static_cast<size_t>(cluster.nodes[0])].inputs;  // one by one, doubles too
  for (const int index : cluster.nodes)
    for (const Value input : graph.nodes()[static_cast<size_t>(index)].inputs)
      if (input && !std::ranges::binary_search(cluster.nodes, input.node) && seen.insert(input).second)
        inputs.push_back(input);
  return inputs;
}

void find_operands(const Graph& graph, std::vector<Work>& all) {
  std::set<Value> read;
  for (Work& work : all) {
    work.inputs = work.call ? work.call->inputs : inputs_of(graph, work.cluster);
    read.insert(work.inputs.begin(), work.inputs.end());
  }
  for (const Port& output : graph.outputs) read.insert(output.value);
  for (const Node& node : graph.nodes())
    if (is_alias(node)) read.insert(node.inputs[0]);
  for (Work& work : all) {
    work.outputs = work.call ? work.call->outputs : std::vector<Value>();
    for (const int node : work.cluster.nodes) {
      if (work.call || repeats(work.cluster, node)) continue;
      const auto& outputs = graph.nodes()[static_cast<size_t>(node)].outputs;
      const bool alone = work.cluster.nodes.size() == 1;
      for (int32_t k = 0; k < static_cast<int32_t>(outputs.size()); ++k)
        if (alone || read.contains({node, k})) work.outputs.push_back({node, k});
    }
  }
}

// Topological; else as the nodes stand in the graph.
std::vector<Work> in_order(const Graph& graph, std::vector<Work> all) {
  std::vector<int> owner(static_cast<size_t>(graph.size()), -1);
  for (size_t i = 0; i < all.size(); ++i)
    for (const int node : all[i].cluster.nodes)
      if (!repeats(all[i].cluster, node)) owner[static_cast<size_t>(node)] = static_cast<int>(i);
  std::vector<std::set<int>> next(all.size());
  std::vector<int> waits(all.size(), 0);
  for (size_t i = 0; i < all.size(); ++i)
    for (const Value input : all[i].inputs) {
      const int from = owner[static_cast<size_t>(origin(graph, input).node)];
      if (from >= 0 && next[static_cast<size_t>(from)].insert(static_cast<int>(i)).second) ++waits[i];
    }
  using Ready = std::pair<int, int>;  // last node, work
  std::priority_queue<Ready, std::vector<Ready>, std::greater<>> ready;
  const auto push = [&](int i) { ready.emplace(all[static_cast<size_t>(i)].cluster.nodes.back(), i); };
  for (size_t i = 0; i < all.size(); ++i)
    if (waits[i] == 0) push(static_cast<int>(i));
  std::vector<Work> sorted;
  while (!ready.empty()) {
    const int i = ready.top().second;
    ready.pop();
    sorted.push_back(std::move(all[static_cast<size_t>(i)]));
    for (const int reader : next[static_cast<size_t>(i)])
      if (--waits[static_cast<size_t>(reader)] == 0) push(reader);
  }
  TEMPER_CHECK(sorted.size() == all.size(), "clusters wait for each other");
  return sorted;
}

}  // namespace

size_t max_operands(const Vendor& vendor, const TargetFacts& facts) {
  return vendor.max_operands ? vendor.max_operands(facts) : std::numeric_limits<size_t>::max();
}

bool is_leaf(const Node& node) { return node.op->name == "input" || node.op->name == "constant"; }

bool is_alias(const Node& node) {
  const std::string_view name = node.op->name;
  return name == "reshape" || name == "barrier" || name == "all_reduce";
}

bool is_control(const Node& node) { return !node.regions.empty(); }

Value origin(const Graph& graph, Value value) {
  while (is_alias(graph.node(value))) value = graph.node(value).inputs[0];
  return value;
}

std::vector<Work> cut_into_work(const Vendor& vendor, const TargetFacts& facts, const Graph& graph) {
  std::vector<Work> all = pieces_of(vendor, facts, graph);
  find_operands(graph, all);
  for (size_t before = 0; before != all.size();) {  // what only a dropped one read goes, too
    before = all.size();
    std::erase_if(all, [](const Work& work) { return work.outputs.empty(); });
    find_operands(graph, all);
  }
  return in_order(graph, std::move(all));
}

}  // namespace temper::launches
