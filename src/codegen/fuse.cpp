#include "codegen/fuse.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/check.h"
#include "ir/op.h"

namespace temper {

namespace {

// Bounds what a tape must keep at once: values in the first-level cache, pointers in registers.
constexpr size_t kMaxInstructions = 72, kMaxInputs = 32, kMaxReductions = 4;

class Fuser {
 public:
  Fuser(const Graph& graph, const std::vector<bool>& taken)
      : graph_(graph), taken_(taken), readers_(users(graph)), parent_(static_cast<size_t>(graph.size())) {
    std::iota(parent_.begin(), parent_.end(), 0);
    for (int i = 0; i < graph.size(); ++i) {
      groups_.push_back({{i}, shape_of(i)});
      if (is_reduce(i))
        groups_.back().reduced = node(i).attributes.get<Ints>("axes"), groups_.back().reductions = 1;
    }
  }

  std::vector<Cluster> run() {
    for (int i = 0; i < graph_.size(); ++i) {
      if (!stands_alone(i)) continue;
      for (Value input : node(i).inputs)
        if (input && joins(input.node)) try_merge(input.node, i);
      if (is_reduce(i)) merge_sibling_reductions(i);
    }
    return clusters();
  }

 private:
  struct Group {
    std::vector<int> nodes;  // ascending; views not among them
    Shape space;
    Ints reduced = {};
    size_t reductions = 0;
  };

  const Node& node(int i) const { return graph_.nodes()[static_cast<size_t>(i)]; }
  bool taken(int i) const { return taken_[static_cast<size_t>(i)]; }
  bool is_reduce(int i) const { return !taken(i) && node(i).op->name == "reduce"; }
  bool view(int i) const { return !taken(i) && is_view(graph_, node(i)); }
  bool stands_alone(int i) const { return !taken(i) && !view(i); }        // maps and reductions
  bool joins(int i) const { return stands_alone(i) && is_map(node(i)); }  // what a reader may pull in
  Shape shape_of(int i) const {
    return is_reduce(i) ? graph_.type(node(i).inputs[0]).shape : node(i).outputs[0].shape;
  }

  int find(int i) {
    while (parent_[static_cast<size_t>(i)] != i) i = parent_[static_cast<size_t>(i)];
    return i;
  }
  Group& group(int i) { return groups_[static_cast<size_t>(find(i))]; }

  bool fits(const Group& a, const Group& b) {
    if (a.space != b.space || instructions(a) + instructions(b) > kMaxInstructions) return false;
    if (a.reductions + b.reductions > kMaxReductions) return false;
    if (a.reductions && b.reductions && a.reduced != b.reduced) return false;
    std::set<Value> inputs;
    for (const Group* g : {&a, &b})
      for (int i : g->nodes)
        for (Value input : node(i).inputs)
          if (find(input.node) != find(a.nodes[0]) && find(input.node) != find(b.nodes[0]))
            inputs.insert(input);
    return inputs.size() <= kMaxInputs;
  }

  size_t instructions(const Group& g) const {
    size_t count = 0;
    for (int i : g.nodes) count += node(i).op->name == "gelu" ? 10 : 1;
    return count;
  }

  // Whether a path leads from `from` to `to` through some node outside both.
  bool path_outside(int from, int to) {
    const int last = groups_[static_cast<size_t>(to)].nodes.back();
    std::vector<int> open;
    std::set<int> seen{from};
    const auto leave = [&](int member, bool first) {
      for (int reader : readers_[static_cast<size_t>(member)]) {
        const int g = find(reader);
        if (g == from || (first && g == to)) continue;
        if (g == to) return true;
        if (groups_[static_cast<size_t>(g)].nodes.front() < last && seen.insert(g).second) open.push_back(g);
      }
      return false;
    };
    for (int member : groups_[static_cast<size_t>(from)].nodes) leave(member, true);
    while (!open.empty()) {
      const int g = open.back();
      open.pop_back();
      for (int member : groups_[static_cast<size_t>(g)].nodes)
        if (leave(member, false)) return true;
    }
    return false;
  }

  void try_merge(int producer, int consumer) {
    const int a = find(producer), b = find(consumer);
    if (a == b || !fits(groups_[static_cast<size_t>(a)], groups_[static_cast<size_t>(b)])) return;
    if (path_outside(a, b) || path_outside(b, a)) return;
    Group &into = groups_[static_cast<size_t>(a)], &from = groups_[static_cast<size_t>(b)];
    std::vector<int> nodes;
    std::merge(into.nodes.begin(), into.nodes.end(), from.nodes.begin(), from.nodes.end(),
               std::back_inserter(nodes));
    into.nodes = std::move(nodes);
    if (from.reductions) into.reduced = from.reduced;
    into.reductions += from.reductions;
    parent_[static_cast<size_t>(b)] = a;
  }

  // Reductions of one value share the pass over it.
  void merge_sibling_reductions(int i) {
    const Value read = node(i).inputs[0];
    for (int reader : readers_[static_cast<size_t>(read.node)])
      if (reader < i && is_reduce(reader) && node(reader).inputs[0] == read) try_merge(reader, i);
  }

  void add_views(const std::vector<int>& readers, std::set<int>& nodes) const {
    for (int i : readers)
      for (Value input : node(i).inputs)
        if (input && view(input.node) && node(input.node).op->name != "constant" &&
            nodes.insert(input.node).second)
          add_views({input.node}, nodes);
  }

  std::vector<Cluster> clusters() {
    std::vector<Cluster> result;
    for (int i = 0; i < graph_.size(); ++i) {
      if (stands_alone(i) && find(i) == i) result.push_back(cluster(groups_[static_cast<size_t>(i)]));
      if (view(i) && read_elsewhere(i)) {
        std::set<int> nodes{i};
        add_views({i}, nodes);
        result.push_back({{nodes.begin(), nodes.end()}, std::string(node(i).op->name)});
      }
    }
    return result;
  }

  Cluster cluster(const Group& group) const {
    std::set<int> nodes(group.nodes.begin(), group.nodes.end());
    add_views(group.nodes, nodes);
    const bool maps = group.nodes.size() > group.reductions;
    Cluster c{{nodes.begin(), nodes.end()}, maps ? "map" : ""};
    if (group.reductions) c.kind += maps ? "+reduce" : "reduce";
    return c;
  }

  // By a node that is no part of a tape, or as an output of the graph.
  bool read_elsewhere(int i) const {
    for (const Port& output : graph_.outputs)
      if (output.value.node == i) return true;
    const auto& readers = readers_[static_cast<size_t>(i)];
    return std::any_of(readers.begin(), readers.end(), [&](int reader) { return taken(reader); });
  }

  const Graph& graph_;
  const std::vector<bool>& taken_;
  std::vector<std::vector<int>> readers_;
  std::vector<int> parent_;
  std::vector<Group> groups_;
};

}  // namespace

std::vector<Cluster> fuse_maps(const Graph& graph, const std::vector<bool>& taken) {
  return Fuser(graph, taken).run();
}

}  // namespace temper
