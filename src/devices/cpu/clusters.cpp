#include "devices/cpu/clusters.h"

#include <algorithm>
#include <queue>
#include <set>

#include "base/check.h"
#include "devices/cpu/control.h"
#include "devices/cpu/fusion.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

// The values a cluster depends on, aliases followed to what holds their bytes.
Value origin(const Graph& graph, Value value) {
  while (is_alias(graph, graph.node(value))) value = graph.node(value).inputs[0];
  return value;
}

bool repeats(const Cluster& cluster, int node) {
  return std::binary_search(cluster.repeated.begin(), cluster.repeated.end(), node);
}

std::vector<int> owners(const Graph& graph, std::span<const Cluster> clusters) {
  std::vector<int> owner(static_cast<size_t>(graph.size()), -1);
  for (size_t i = 0; i < clusters.size(); ++i)
    for (const int node : clusters[i].nodes) {
      if (repeats(clusters[i], node)) continue;
      TEMPER_CHECK(owner[static_cast<size_t>(node)] < 0, graph.describe(node), " is in two clusters");
      owner[static_cast<size_t>(node)] = static_cast<int>(i);
    }
  return owner;
}

// Topological, the earliest root first.
std::vector<Cluster> in_order(const Graph& graph, std::vector<Cluster> clusters) {
  const std::vector<int> owner = owners(graph, clusters);
  std::vector<std::set<int>> next(clusters.size());
  std::vector<int> waits(clusters.size(), 0);
  for (size_t i = 0; i < clusters.size(); ++i)
    for (const Value input : inputs_of(graph, clusters[i])) {
      const int from = owner[static_cast<size_t>(origin(graph, input).node)];
      if (from >= 0 && next[static_cast<size_t>(from)].insert(static_cast<int>(i)).second) ++waits[i];
    }
  using Ready = std::pair<int, int>;  // root node, cluster
  std::priority_queue<Ready, std::vector<Ready>, std::greater<>> ready;
  const auto push = [&](int i) { ready.emplace(clusters[static_cast<size_t>(i)].nodes.back(), i); };
  for (size_t i = 0; i < clusters.size(); ++i)
    if (waits[i] == 0) push(static_cast<int>(i));
  std::vector<Cluster> sorted;
  while (!ready.empty()) {
    const auto i = static_cast<size_t>(ready.top().second);
    ready.pop();
    for (const int user : next[i])
      if (--waits[static_cast<size_t>(user)] == 0) push(user);
    sorted.push_back(std::move(clusters[i]));
  }
  TEMPER_CHECK(sorted.size() == clusters.size(), "clusters wait for each other");
  return sorted;
}

}  // namespace

bool is_leaf(const Node& node) { return node.op->name == "input" || node.op->name == "constant"; }

bool is_alias(const Graph& graph, const Node& node) {
  const std::string_view name = node.op->name;
  if (name == "transpose") return graph.type(node.inputs[0]).shape.rank() <= Layout::kMaxRank;
  return name == "reshape" || name == "bitcast" || name == "barrier" || name == "all_reduce";
}

// What only a contraction read that has its own way to it, such as a broadcast bias.
static void drop_unread(const Graph& graph, std::vector<Cluster>& clusters) {
  for (size_t before = 0; before != clusters.size();) {
    before = clusters.size();
    const std::vector<Operands> operands = operands_of(graph, clusters);
    size_t i = 0;
    std::erase_if(clusters, [&](const Cluster&) { return operands[i++].outputs.empty(); });
  }
}

std::vector<Cluster> make_clusters(const Graph& graph) {
  const auto readers = users(graph);
  std::vector<bool> is_output(static_cast<size_t>(graph.size()), false);
  for (const Port& output : graph.outputs) is_output[static_cast<size_t>(output.value.node)] = true;
  std::vector<bool> taken(static_cast<size_t>(graph.size()), false);
  std::vector<Cluster> clusters;
  for (int i = 0; i < graph.size(); ++i) {
    const Node& node = graph.nodes()[static_cast<size_t>(i)];
    if (is_control(node)) {
      clusters.push_back({{i}, std::string(node.op->name)});
    } else if (is_contraction(node)) {
      clusters.push_back(grow_cluster(graph, readers, is_output, taken, i));
    } else {
      continue;
    }
    for (const int member : clusters.back().nodes) taken[static_cast<size_t>(member)] = true;
  }
  std::vector<bool> live = is_output;
  for (const Cluster& cluster : clusters)
    for (const Value input : inputs_of(graph, cluster)) live[static_cast<size_t>(input.node)] = true;
  for (int i = graph.size() - 1; i >= 0; --i) {
    const auto at = static_cast<size_t>(i);
    const Node& node = graph.nodes()[at];
    if (taken[at]) continue;
    if (!live[at] || is_leaf(node) || is_alias(graph, node)) taken[at] = true;
    if (!live[at]) continue;
    for (const Value input : node.inputs)
      if (input) live[static_cast<size_t>(input.node)] = true;
  }
  for (Cluster& cluster : fuse(graph, taken)) clusters.push_back(std::move(cluster));
  drop_unread(graph, clusters);
  return in_order(graph, std::move(clusters));
}

std::vector<Value> inputs_of(const Graph& graph, const Cluster& cluster) {
  if (is_contraction(graph.nodes()[static_cast<size_t>(cluster.nodes[0])]))
    return inputs_of(graph, read_fusion(graph, cluster));
  std::vector<Value> inputs;
  std::set<Value> seen;
  for (const int index : cluster.nodes)
    for (const Value input : graph.nodes()[static_cast<size_t>(index)].inputs)
      if (input && !std::binary_search(cluster.nodes.begin(), cluster.nodes.end(), input.node) &&
          seen.insert(input).second)
        inputs.push_back(input);
  return inputs;
}

std::vector<Operands> operands_of(const Graph& graph, std::span<const Cluster> clusters) {
  std::set<Value> read;
  std::vector<Operands> all;
  for (const Cluster& cluster : clusters) {
    all.push_back({.inputs = inputs_of(graph, cluster)});
    read.insert(all.back().inputs.begin(), all.back().inputs.end());
  }
  for (const Port& output : graph.outputs) read.insert(output.value);
  for (const Node& node : graph.nodes())
    if (is_alias(graph, node)) read.insert(node.inputs[0]);
  for (size_t i = 0; i < clusters.size(); ++i)
    for (const int node : clusters[i].nodes) {
      if (repeats(clusters[i], node)) continue;
      const auto count = static_cast<int32_t>(graph.nodes()[static_cast<size_t>(node)].outputs.size());
      for (int32_t k = 0; k < count; ++k)
        if (read.count({node, k}) > 0) all[i].outputs.push_back({node, k});
    }
  return all;
}

}  // namespace temper::cpu
