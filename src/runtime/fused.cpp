#include "runtime/fused.h"

#include <algorithm>
#include <set>

#include "base/text.h"
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
    const Node& root = graph_.nodes()[static_cast<size_t>(cluster.nodes[0])];
    if (root.op->name == "in_parts")
      return count_rounds(cluster, root.attributes.get<int64_t>("parts"),
                          root.attributes.get<int64_t>("cut"));
    if (root.op->name == "scan" && root.attributes.get<int64_t>("carries") == 0)
      return count_rounds(cluster, root.attributes.get<int64_t>("length"),
                          root.attributes.get<int64_t>("xs"));
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
        const Value from = input ? source(graph_, input) : Value{};
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
  // Rounds over parts of the first `cut` operands: what a body's nodes hand on to each other stays in a
  // cache.
  FusedLaunch count_rounds(const Cluster& cluster, int64_t rounds, int64_t cut) const {
    const int number = cluster.nodes[0];
    const Node& node = graph_.nodes()[static_cast<size_t>(number)];
    const Graph& body = node.regions[0];
    FusedLaunch launch{.kind = concat(cluster.kind, " x ", rounds), .name = name_of(number)};
    std::set<Value> whole, read;  // of the body; whole: what each round reads from the first byte to the last
    for (size_t i = static_cast<size_t>(cut); i < body.inputs.size(); ++i) whole.insert(body.inputs[i].value);
    for (const Node& inner : body.nodes()) read.insert(inner.inputs.begin(), inner.inputs.end());
    for (const Port& output : body.outputs) read.insert(output.value);
    for (int32_t i = 0; i < body.size(); ++i) {
      const Node& inner = body.nodes()[static_cast<size_t>(i)];
      if (inner.inputs.empty() || is_view(body, inner)) continue;
      ++launch.nodes;
      std::set<Value> operands;
      for (const Value input : inner.inputs) {
        const Value from = input ? source(body, input) : Value{};
        if (from && operands.insert(from).second)
          launch.bytes_apart += byte_size(body.type(from)) * (whole.contains(from) ? 1 : rounds);
      }
      for (int32_t k = 0; k < static_cast<int32_t>(inner.outputs.size()); ++k)
        if (read.contains({i, k})) launch.bytes_apart += byte_size(body.type({i, k})) * rounds;
    }
    for (const Value input : std::set<Value>(node.inputs.begin(), node.inputs.end()))
      launch.bytes_fused += byte_size(graph_.type(input));
    for (const Type& output : node.outputs) launch.bytes_fused += byte_size(output);
    return launch;
  }

  // What is in memory where a view is read.
  static Value source(const Graph& graph, Value value) {
    while (is_view(graph, graph.node(value)) && !graph.node(value).inputs.empty())
      value = graph.node(value).inputs[0];
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
