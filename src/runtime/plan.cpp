#include "runtime/plan.h"

#include <algorithm>
#include <functional>
#include <set>

#include "base/text.h"
#include "ir/op.h"
#include "target/cost.h"

namespace temper {

namespace {

constexpr char kMark = '#';  // between a name and the number of its node

std::optional<int> number_in(std::string_view name) {
  const size_t mark = name.rfind(kMark);
  int64_t number = 0;
  if (mark == std::string_view::npos || !parse_number(name.substr(mark + 1), number) || number < 0)
    return std::nullopt;
  return static_cast<int>(number);
}

Graph with_numbers(Graph graph) {
  for (int i = 0; i < graph.size(); ++i) {
    Node& node = graph.node({i, 0});
    node.name += concat(kMark, i);
  }
  return graph;
}

using EachNode = std::function<void(const Graph&, const Node&, int original)>;

// Every node, those of regions included, that came from one of the `count` nodes of the numbered graph.
void for_each_numbered(const Graph& graph, int count, const EachNode& each) {
  for (const Node& node : graph.nodes()) {
    const std::optional<int> original = number_in(node.name);
    if (original && *original < count) each(graph, node, *original);
    for (const Graph& region : node.regions) for_each_numbered(region, count, each);
  }
}

// The nodes of the first graph that a launch computes.
struct Computed {
  int root = -1;
  std::set<int> nodes;
  std::string kind;
};

std::vector<Computed> launches_of(const Program& program, int count) {
  std::vector<Computed> launches;
  for (const Cluster& cluster : program.clusters) {
    Computed launch{.kind = cluster.kind};
    const auto add = [&](const Graph&, const Node&, int original) {
      launch.nodes.insert(original);
      launch.root = original;
    };
    for (const int i : cluster.nodes) {
      const Node& node = program.graph.nodes()[static_cast<size_t>(i)];
      for (const Graph& region : node.regions) for_each_numbered(region, count, add);
      const std::optional<int> original = number_in(node.name);
      if (original && *original < count) add(program.graph, node, *original);
    }
    launches.push_back(std::move(launch));
  }
  return launches;
}

// The launch that reads a value which no launch computes, because it reads an operand through it.
const Computed* launch_through(const Graph& graph, const std::vector<std::vector<int>>& readers, int node,
                               const std::vector<Computed>& launches) {
  if (graph.nodes()[static_cast<size_t>(node)].inputs.empty()) return nullptr;
  for (const int reader : readers[static_cast<size_t>(node)]) {
    for (const Computed& launch : launches)
      if (launch.nodes.contains(reader)) return &launch;
    if (const Computed* const later = launch_through(graph, readers, reader, launches)) return later;
  }
  return nullptr;
}

}  // namespace

std::string_view to_string(NodeFate::Kind kind) {
  switch (kind) {
    case NodeFate::kernel:
      return "kernel";
    case NodeFate::fused:
      return "fused";
    case NodeFate::decomposed:
      return "decomposed";
    case NodeFate::refused:
      break;
  }
  return "refused";
}

std::string_view Planning::plain_name(std::string_view numbered) {
  return number_in(numbered) ? numbered.substr(0, numbered.rfind(kMark)) : numbered;
}

std::string Planning::name_of(int node) const {
  const std::string& name = graph_.nodes()[static_cast<size_t>(node)].name;
  return name.empty() ? concat("%", node) : name;
}

Planning::Planning(Device& device, const Graph& graph) : graph_(graph), numbered_(with_numbers(graph)) {
  const Target& target = device.target();
  const TargetFacts facts = device.facts().target;
  for (int i = 0; i < graph.size(); ++i) {
    const Claim claim = target.claim(facts, graph, graph.nodes()[static_cast<size_t>(i)]);
    const NodeFate::Kind kind = claim.kind == Claim::kernel      ? NodeFate::kernel
                                : claim.kind == Claim::decompose ? NodeFate::decomposed
                                                                 : NodeFate::refused;
    claimed_.push_back({.kind = kind, .node = i, .why = claim.why});
  }
  // A node may be taken, and what it is made of not.
  const auto look = [&](const Graph& legal, const Node& node, int i) {
    const Claim claim = target.claim(facts, legal, node);
    NodeFate& fate = claimed_[static_cast<size_t>(i)];
    if (fate.kind == NodeFate::refused) return;
    if (claim.kind != Claim::kernel) {
      const std::string why = claim.why.empty() ? "no kernel" : claim.why;
      fate = {.kind = NodeFate::refused, .node = i, .why = concat(node.op->name, ": ", why)};
      return;
    }
    const std::vector<std::string_view> ops = split(fate.into, ' ');
    if (fate.kind == NodeFate::decomposed && node.op != &constant_op &&
        !std::ranges::count(ops, node.op->name))
      fate.into += concat(fate.into.empty() ? "" : " ", node.op->name);
  };
  for_each_numbered(legal_graph(target, facts, numbered_), graph.size(), look);
}

bool Planning::refused() const {
  return std::ranges::any_of(claimed_, [](const NodeFate& f) { return f.kind == NodeFate::refused; });
}

std::vector<NodeFate> Planning::fates(const Program* program) const {
  std::vector<NodeFate> fates = claimed_;
  if (!program) return fates;
  std::vector<bool> there(fates.size());
  const auto see = [&](const Graph&, const Node& node,
                       int i) {  // a constant in its place is what it folds to
    const auto at = static_cast<size_t>(i);
    there[at] = there[at] || node.op != &constant_op || graph_.nodes()[at].op == &constant_op;
  };
  for_each_numbered(program->graph, graph_.size(), see);
  const std::vector<Computed> launches = launches_of(*program, graph_.size());
  const std::vector<std::vector<int>> readers = users(graph_);
  for (NodeFate& fate : fates) {
    if (fate.kind == NodeFate::decomposed && fate.into.empty())
      fate.why = "known before it runs, or the same as another node";
    if (fate.kind != NodeFate::kernel) continue;
    const auto launch =
        std::ranges::find_if(launches, [&](const Computed& l) { return l.nodes.contains(fate.node); });
    if (!there[static_cast<size_t>(fate.node)]) {
      fate.kind = NodeFate::fused;
      fate.why = "nothing is left of it: known before it runs, the same as another node, or read by nobody";
    } else if (launch == launches.end()) {
      if (const Computed* const reader = launch_through(graph_, readers, fate.node, launches)) {
        fate.kind = NodeFate::fused;
        fate.into = name_of(reader->root);
        fate.why = "nothing is computed: that launch reads through it";
      }
    } else if (launch->root != fate.node) {
      fate.kind = NodeFate::fused;
      fate.into = name_of(launch->root);
      fate.why = launch->kind;
    }
  }
  return fates;
}

std::optional<double> predicted_seconds(const Executable& executable, const DeviceFacts& facts) {
  if (facts.peak_flops <= 0 || facts.peak_bytes_per_second <= 0) return std::nullopt;
  std::vector<LaunchProfile> launches = executable.launches();
  if (launches.empty()) {
    const MemoryUse& use = executable.program().memory;
    launches.push_back({.flops = flops(executable.program().graph),
                        .bytes = use.arguments + use.donated + use.outputs + 2 * use.temporaries});
  }
  double seconds = 0;
  for (const LaunchProfile& launch : launches)
    seconds += std::max(static_cast<double>(launch.flops) / facts.peak_flops,
                        static_cast<double>(launch.bytes) / facts.peak_bytes_per_second);
  return seconds;
}

}  // namespace temper
