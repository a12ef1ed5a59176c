#include "devices/cpu/clusters.h"

#include <algorithm>
#include <map>
#include <queue>
#include <set>

#include "base/check.h"
#include "devices/cpu/control.h"
#include "devices/cpu/expansion.h"
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

// Which clusters wait for which, and the order in which they run: topological, else as the graph's nodes.
class Order {
 public:
  Order(const Graph& graph, const std::vector<Cluster>& clusters)
      : graph_(graph), clusters_(clusters), next_(clusters.size()), waits_(clusters.size(), 0) {
    const std::vector<int> owner = owners(graph, clusters);
    std::map<int, std::vector<int>> readers;  // of graph inputs
    for (size_t i = 0; i < clusters.size(); ++i)
      for (const Value input : inputs_of(graph, clusters[i])) {
        const int node = origin(graph, input).node, from = owner[static_cast<size_t>(node)];
        if (from >= 0) add(from, static_cast<int>(i));
        if (from < 0) readers[node].push_back(static_cast<int>(i));
      }
    hasten_updates(graph, owner, readers);
  }

  std::vector<int> sorted() const {
    using Ready = std::pair<int, int>;  // its turn, or -1 if nothing should come before; cluster
    std::priority_queue<Ready, std::vector<Ready>, std::greater<>> ready;
    const auto push = [&](int i) {
      const auto at = static_cast<size_t>(i);
      ready.emplace(at < hastened_.size() && hastened_[at] ? -1 : turn(clusters_[at]), i);
    };
    std::vector<int> waits = waits_, sorted;
    for (size_t i = 0; i < clusters_.size(); ++i)
      if (waits[i] == 0) push(static_cast<int>(i));
    while (!ready.empty()) {
      sorted.push_back(ready.top().second);
      ready.pop();
      for (const int user : next_[static_cast<size_t>(sorted.back())])
        if (--waits[static_cast<size_t>(user)] == 0) push(user);
    }
    TEMPER_CHECK(sorted.size() == clusters_.size(), "clusters wait for each other");
    return sorted;
  }

 private:
  // A contraction's own place: what it takes in may stand much later, such as the decay of a weight.
  int turn(const Cluster& cluster) const {
    const int first = cluster.nodes.front();
    return is_contraction(graph_.nodes()[static_cast<size_t>(first)]) ? first : cluster.nodes.back();
  }

  void add(int before, int after) {
    if (next_[static_cast<size_t>(before)].insert(after).second) ++waits_[static_cast<size_t>(after)];
  }

  static bool makes_numbers(const Graph& graph, const Operands& operands) {
    return std::ranges::all_of(operands.outputs,
                               [&](Value value) { return graph.type(value).shape.elements() == 1; });
  }

  // What only renews donated state runs as soon as nobody else will read the old state: then the gradient
  // that it reads need not be kept. So does what makes single numbers, for an update may wait for them.
  // Whoever reads the old state later in the plain order does not hold it up, for there it would be copied in
  // any case.
  void hasten_updates(const Graph& graph, const std::vector<int>& owner,
                      const std::map<int, std::vector<int>>& readers) {
    const std::vector<Operands> operands = operands_of(graph, clusters_);
    std::vector<size_t> renewed(clusters_.size(), 0);
    std::vector<int> position(clusters_.size());
    const std::vector<int> plain = sorted();
    for (size_t i = 0; i < plain.size(); ++i) position[static_cast<size_t>(plain[i])] = static_cast<int>(i);
    for (const Donation& donation : graph.donations) {
      const Value fresh = origin(graph, graph.outputs[static_cast<size_t>(donation.output)].value);
      const int writer = owner[static_cast<size_t>(fresh.node)];
      if (writer < 0) continue;
      ++renewed[static_cast<size_t>(writer)];
      const auto found = readers.find(graph.inputs[static_cast<size_t>(donation.input)].value.node);
      if (found == readers.end()) continue;
      for (const int reader : found->second)
        if (position[static_cast<size_t>(reader)] < position[static_cast<size_t>(writer)])
          add(reader, writer);
    }
    hastened_.resize(clusters_.size());
    for (size_t i = 0; i < clusters_.size(); ++i)
      hastened_[i] =
          (renewed[i] > 0 && renewed[i] == operands[i].outputs.size()) || makes_numbers(graph, operands[i]);
  }

  const Graph& graph_;
  const std::vector<Cluster>& clusters_;
  std::vector<std::set<int>> next_;
  std::vector<int> waits_;
  std::vector<bool> hastened_;
};

std::vector<Cluster> in_order(const Graph& graph, std::vector<Cluster> clusters) {
  std::vector<Cluster> sorted;
  for (const int i : Order(graph, clusters).sorted())
    sorted.push_back(std::move(clusters[static_cast<size_t>(i)]));
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

// Pairs of contractions that one kernel computes.
static void join_expansions(const Graph& graph, const std::vector<std::vector<int>>& readers,
                            const std::vector<bool>& is_output, std::vector<Cluster>& clusters) {
  std::map<int, size_t> by_last;  // node -> cluster
  std::vector<bool> joined(clusters.size(), false);
  for (size_t i = 0; i < clusters.size(); ++i) {
    const Node& root = graph.nodes()[static_cast<size_t>(clusters[i].nodes[0])];
    const auto found = root.inputs.empty() ? by_last.end() : by_last.find(root.inputs[0].node);
    if (found != by_last.end()) {
      Cluster& before = clusters[found->second];
      const auto last = static_cast<size_t>(before.nodes.back());
      if (readers[last].size() == 1 && !is_output[last] && is_expansion(graph, before, clusters[i])) {
        before.nodes.insert(before.nodes.end(), clusters[i].nodes.begin(), clusters[i].nodes.end());
        before.kind += concat("+", clusters[i].kind);
        joined[i] = true;
        continue;
      }
    }
    by_last.emplace(clusters[i].nodes.back(), i);
  }
  size_t i = 0;
  std::erase_if(clusters, [&](const Cluster&) { return joined[i++]; });
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
  join_expansions(graph, readers, is_output, clusters);
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
  std::vector<Value> inputs;
  std::set<Value> seen;
  const auto add = [&](Value input) {
    if (input && !std::binary_search(cluster.nodes.begin(), cluster.nodes.end(), input.node) &&
        seen.insert(input).second)
      inputs.push_back(input);
  };
  if (is_contraction(graph.nodes()[static_cast<size_t>(cluster.nodes[0])])) {
    for (const Cluster& part : contractions_in(graph, cluster))
      for (const Value input : inputs_of(graph, read_fusion(graph, part))) add(input);
  } else {
    for (const int index : cluster.nodes)
      for (const Value input : graph.nodes()[static_cast<size_t>(index)].inputs) add(input);
  }
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
