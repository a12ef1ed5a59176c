#include "codegen/fuse.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/check.h"
#include "ir/op.h"

namespace temper {

namespace {

// Bounds what a tape must keep at once: values in the first-level cache, pointers in registers.
constexpr size_t kMaxInstructions = 72, kMaxInputs = 32, kMaxReductions = 4,
                 kMaxRepeated = 3;  // an instruction costs about as much as reading a byte

class Fuser {
 public:
  Fuser(const Graph& graph, const std::vector<bool>& taken, size_t max_operands)
      : graph_(graph),
        taken_(taken),
        max_operands_(max_operands),
        readers_(users(graph)),
        is_output_(static_cast<size_t>(graph.size())),
        holders_(static_cast<size_t>(graph.size())),
        parent_(static_cast<size_t>(graph.size())) {
    for (const Port& output : graph.outputs) is_output_[static_cast<size_t>(output.value.node)] = true;
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
    for (int i = 0; i < graph_.size(); ++i) {
      if (!stands_alone(i)) continue;
      holders_[static_cast<size_t>(i)].insert(find(i));
      if (find(i) == i) roots_.push_back(i);
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (int root : roots_) changed = repeat_maps(root) || changed;
    }
    drop_unread();
    return clusters();
  }

 private:
  struct Group {
    std::vector<int> nodes;  // ascending; views not among them
    Shape space;
    Ints reduced = {};
    size_t reductions = 0;
    std::set<int> repeated = {};  // maps of other groups that this one computes again
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
    return inputs.size() <= kMaxInputs &&
           (!is_bounded() || inputs.size() + results(a.nodes, b.nodes) <= max_operands_);
  }

  bool is_bounded() const { return max_operands_ < kMaxInputs + kMaxInstructions; }

  // How many of these nodes somebody else reads, views among them.
  size_t results(const std::vector<int>& a, const std::vector<int>& b = {}) const {
    const auto inside = [&](int i) {
      return std::binary_search(a.begin(), a.end(), i) || std::binary_search(b.begin(), b.end(), i);
    };
    const auto written = [&](int i) {
      return read_elsewhere(i) || !std::ranges::all_of(readers_[static_cast<size_t>(i)], inside);
    };
    return static_cast<size_t>(std::ranges::count_if(a, written) + std::ranges::count_if(b, written));
  }

  size_t instructions(const Group& g) const {
    size_t count = 0;
    for (int i : g.nodes) {
      count += node(i).op->name.starts_with("gelu") ? 10 : node(i).op->name == "quantize" ? 4 : 1;
      for (const Value input : node(i).inputs)
        if (input && graph_.node(input).op->name == "dequantize") count += 3;
    }
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

  bool has(int root, int i) const { return holders_[static_cast<size_t>(i)].count(root) > 0; }

  struct Reads {
    std::set<Value> whole;  // of the group's own shape: what costs traffic
    size_t all = 0;
  };
  Reads reads(int root, const std::set<int>& repeated) const {
    const Group& g = groups_[static_cast<size_t>(root)];
    std::set<Value> all;
    for (int member : g.nodes) all.insert(node(member).inputs.begin(), node(member).inputs.end());
    for (int member : repeated) all.insert(node(member).inputs.begin(), node(member).inputs.end());
    Reads reads;
    for (Value v : all) {
      if (repeated.count(v.node) || std::binary_search(g.nodes.begin(), g.nodes.end(), v.node)) continue;
      ++reads.all;
      if (!view(v.node) && graph_.type(v).shape == g.space) reads.whole.insert(v);
    }
    return reads;
  }

  static bool cheap(const Node& n) {
    static constexpr std::string_view kCheap[] = {"abs",     "neg",     "sign",   "add",        "sub",
                                                  "mul",     "max",     "min",    "compare",    "select",
                                                  "convert", "bit_and", "bit_or", "logical_not"};
    return std::find(std::begin(kCheap), std::end(kCheap), n.op->name) != std::end(kCheap);
  }

  // What the group would repeat to have `value`: it alone, or also the cheap maps behind it that are not at
  // hand.
  std::set<int> repeating(int root, Value value, bool behind) const {
    std::set<int> repeated = groups_[static_cast<size_t>(root)].repeated;
    const std::set<Value> at_hand = reads(root, repeated).whole;
    const size_t limit = repeated.size() + kMaxRepeated;
    std::vector<int> open{value.node};
    while (!open.empty() && repeated.size() < limit) {
      const int i = open.back();
      open.pop_back();
      if (!repeated.insert(i).second || !behind) continue;
      for (Value input : node(i).inputs)
        if (repeatable(input, shape_of(i)) && !at_hand.count(input) && !has(root, input.node))
          open.push_back(input.node);
    }
    return repeated;
  }

  bool repeatable(Value value, const Shape& space) const {
    return joins(value.node) && cheap(node(value.node)) && graph_.type(value).shape == space;
  }

  // Whether nobody but its owner and the group `root` reads the value without having it.
  bool read_only_by(Value value, int root) const {
    if (read_elsewhere(value.node)) return false;
    for (int reader : readers_[static_cast<size_t>(value.node)]) {
      if (view(reader)) return false;
      for (int g : holders_[static_cast<size_t>(reader)])
        if (g != root && !has(g, value.node)) return false;
    }
    return true;
  }

  // Computes an input again if that reads less, or as much and the input need not be stored at all.
  bool repeat_maps(int root) {
    Group& g = groups_[static_cast<size_t>(root)];
    bool changed = false;
    for (Value value : reads(root, g.repeated).whole) {
      if (!repeatable(value, g.space) || has(root, value.node)) continue;
      const size_t now = reads(root, g.repeated).whole.size();
      for (bool behind : {true, false}) {
        const std::set<int> repeated = repeating(root, value, behind);
        const Reads then = reads(root, repeated);
        if (instructions(g) + repeated.size() > kMaxInstructions || then.all > kMaxInputs) continue;
        if (is_bounded() && then.all + results(g.nodes) > max_operands_) continue;
        if (then.whole.size() > now || (then.whole.size() == now && !read_only_by(value, root))) continue;
        g.repeated = repeated;
        for (int i : repeated) holders_[static_cast<size_t>(i)].insert(root);
        changed = true;
        break;
      }
    }
    return changed;
  }

  // Nodes whose readers all repeat them are not needed where they were.
  void drop_unread() {
    for (int i = graph_.size() - 1; i >= 0; --i) {  // readers come later, so they are settled
      if (!stands_alone(i) || read_elsewhere(i)) continue;
      const std::set<int> all = holders_[static_cast<size_t>(i)];
      for (int root : all)
        if (!needed_in(i, root, all)) holders_[static_cast<size_t>(i)].erase(root);
    }
    for (int root : roots_) {
      Group& g = groups_[static_cast<size_t>(root)];
      const auto unread = [&](int i) { return !has(root, i); };
      std::erase_if(g.nodes, unread);
      std::erase_if(g.repeated, unread);
    }
  }

  // By a reader in the same group; or, in the group that owns it, by a group that does not have it.
  bool needed_in(int i, int root, const std::set<int>& all) {
    for (int reader : readers_[static_cast<size_t>(i)]) {
      const std::set<int>& by = holders_[static_cast<size_t>(reader)];
      if (by.count(root)) return true;
      if (find(i) != root) continue;
      if (view(reader) || std::any_of(by.begin(), by.end(), [&](int g) { return all.count(g) == 0; }))
        return true;
    }
    return false;
  }

  void add_views(int reader, std::set<int>& nodes) const {
    for (Value input : node(reader).inputs)
      if (input && view(input.node) && node(input.node).op->name != "constant" &&
          nodes.insert(input.node).second)
        add_views(input.node, nodes);
  }

  std::vector<Cluster> clusters() {
    std::vector<Cluster> result;
    for (int i = 0; i < graph_.size(); ++i) {
      if (stands_alone(i) && find(i) == i && !groups_[static_cast<size_t>(i)].nodes.empty())
        result.push_back(cluster(groups_[static_cast<size_t>(i)]));
      if (view(i) && read_elsewhere(i)) {
        std::set<int> below;
        add_views(i, below);
        Cluster c{{below.begin(), below.end()}, std::string(node(i).op->name), {below.begin(), below.end()}};
        c.nodes.push_back(i);
        result.push_back(std::move(c));
      }
    }
    return result;
  }

  Cluster cluster(const Group& group) const {
    std::set<int> repeated = group.repeated, nodes(group.nodes.begin(), group.nodes.end());
    for (int i : group.nodes) add_views(i, repeated);
    for (int i : group.repeated) add_views(i, repeated);
    nodes.insert(repeated.begin(), repeated.end());
    size_t reductions = 0;
    for (int i : group.nodes) reductions += is_reduce(i) ? 1 : 0;
    const bool maps = group.nodes.size() + group.repeated.size() > reductions;
    Cluster c{{nodes.begin(), nodes.end()}, maps ? "map" : "", {repeated.begin(), repeated.end()}};
    if (reductions) c.kind += maps ? "+reduce" : "reduce";
    return c;
  }

  // By a node that is no part of a tape, or as an output of the graph.
  bool read_elsewhere(int i) const {
    if (is_output_[static_cast<size_t>(i)]) return true;
    const auto& readers = readers_[static_cast<size_t>(i)];
    return std::any_of(readers.begin(), readers.end(), [&](int reader) { return taken(reader); });
  }

  const Graph& graph_;
  const std::vector<bool>& taken_;
  const size_t max_operands_;
  std::vector<std::vector<int>> readers_;
  std::vector<bool> is_output_;
  std::vector<std::set<int>> holders_;  // by node: the roots of the groups that compute it
  std::vector<int> roots_;
  std::vector<int> parent_;
  std::vector<Group> groups_;
};

}  // namespace

std::vector<Cluster> fuse_maps(const Graph& graph, const std::vector<bool>& taken, size_t max_operands) {
  return Fuser(graph, taken, max_operands).run();
}

}  // namespace temper
