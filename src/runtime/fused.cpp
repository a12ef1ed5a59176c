#include "runtime/fused.h"

#include <algorithm>
#include <set>

#include "codegen/tape.h"
#include "ir/op.h"

namespace temper {

namespace {

class Counting {
 public:
  explicit Counting(const Program& program)
      : graph_(program.graph),
        readers_(users(program.graph)),
        counted_(readers_.size()),
        holders_(readers_.size()) {
    for (const Port& output : graph_.outputs) outputs_.insert(output.value);
    for (const Cluster& cluster : program.clusters)
      for (const int i : cluster.nodes) holders_[static_cast<size_t>(i)].push_back(&cluster);
  }

  FusedLaunch count(const Cluster& cluster) {
    FusedLaunch launch{.kind = cluster.kind, .name = name_of(cluster.nodes.back())};
    std::set<Value> read;
    for (const int i : cluster.nodes) {
      const Node& node = graph_.nodes()[static_cast<size_t>(i)];
      if (is_view(graph_, node)) continue;
      const bool first = !counted_[static_cast<size_t>(i)];
      counted_[static_cast<size_t>(i)] = true;
      ++launch.nodes;
      std::set<Value> operands;
      for (const Value input : node.inputs) {
        const Value from = input ? source(input) : Value{};
        if (!from || !operands.insert(from).second) continue;
        if (first) launch.bytes_apart += byte_size(graph_.type(from));
        if (!inside(cluster, from.node) && read.insert(from).second)
          launch.bytes_fused += byte_size(graph_.type(from));
      }
      const bool repeated = std::ranges::binary_search(cluster.repeated, i);
      for (int32_t k = 0; k < static_cast<int32_t>(node.outputs.size()); ++k) {
        const int64_t bytes = byte_size(node.outputs[static_cast<size_t>(k)]);
        if (first) launch.bytes_apart += bytes;
        if (!repeated && leaves({i, k})) launch.bytes_fused += bytes;
      }
    }
    return launch;
  }

 private:
  // What is in memory where a view is read.
  Value source(Value value) const {
    while (is_view(graph_, graph_.node(value)) && !graph_.node(value).inputs.empty())
      value = graph_.node(value).inputs[0];
    return value;
  }

  static bool inside(const Cluster& cluster, int node) {
    return std::ranges::binary_search(cluster.nodes, node);
  }

  // Whether some launch reads the value without computing it.
  bool leaves(Value value) const {
    if (outputs_.contains(value)) return true;
    const auto& readers = readers_[static_cast<size_t>(value.node)];
    return std::ranges::any_of(readers, [&](int reader) {
      if (std::ranges::count(graph_.nodes()[static_cast<size_t>(reader)].inputs, value) == 0) return false;
      const auto& holders = holders_[static_cast<size_t>(reader)];
      return holders.empty() ||
             std::ranges::any_of(holders, [&](const Cluster* c) { return !inside(*c, value.node); });
    });
  }

  std::string name_of(int i) const {
    const Node& node = graph_.nodes()[static_cast<size_t>(i)];
    return node.name.empty() ? std::string(node.op->name) : node.name;
  }

  const Graph& graph_;
  const std::vector<std::vector<int>> readers_;
  std::vector<bool> counted_;
  std::vector<std::vector<const Cluster*>> holders_;  // by node
  std::set<Value> outputs_;
};

}  // namespace

std::vector<FusedLaunch> fused_launches(const Program& program) {
  Counting counting(program);
  std::vector<FusedLaunch> all;
  for (const Cluster& cluster : program.clusters)
    if (FusedLaunch launch = counting.count(cluster); launch.nodes > 1) all.push_back(std::move(launch));
  return all;
}

}  // namespace temper
