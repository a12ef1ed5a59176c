#include "devices/cpu/layouts.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/check.h"
#include "devices/cpu/control.h"
#include "devices/cpu/convolution.h"
#include "devices/cpu/fusion.h"
#include "devices/cpu/matmul.h"
#include "devices/cpu/winograd.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

// Values that should share a layout.
class Classes {
 public:
  explicit Classes(int count) : parent_(static_cast<size_t>(count)), vote_(static_cast<size_t>(count)) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }
  size_t find(int i) {
    while (parent_[static_cast<size_t>(i)] != i) {
      parent_[static_cast<size_t>(i)] = parent_[static_cast<size_t>(parent_[static_cast<size_t>(i)])];
      i = parent_[static_cast<size_t>(i)];
    }
    return static_cast<size_t>(i);
  }
  // Classes that already want different things stay apart.
  void join(int a, int b) {
    const size_t x = find(a), y = find(b);
    if (x == y || (vote_[x] && vote_[y] && vote_[x] != vote_[y])) return;
    if (!vote_[y]) vote_[y] = vote_[x];
    parent_[x] = static_cast<int>(y);
  }
  void vote(int i, int64_t layout) {
    std::optional<int64_t>& vote = vote_[find(i)];
    if (!vote) vote = layout;
  }
  std::optional<int64_t> vote(int i) { return vote_[find(i)]; }

 private:
  std::vector<int> parent_;
  std::vector<std::optional<int64_t>> vote_;
};

bool all_of_one_shape(const Graph& graph, const Operands& operands) {
  const Shape& shape = graph.type(operands.outputs[0]).shape;
  const auto fits = [&](Value value) {
    return graph.type(value).shape == shape || graph.type(value).shape.elements() == 1;
  };
  return std::all_of(operands.inputs.begin(), operands.inputs.end(), fits) &&
         std::all_of(operands.outputs.begin(), operands.outputs.end(), fits);
}

int highest_rank(const Graph& graph, const Operands& operands) {
  int rank = 0;
  for (const auto* values : {&operands.inputs, &operands.outputs})
    for (const Value value : *values) rank = std::max(rank, graph.type(value).shape.rank());
  return rank;
}

class Chooser {
 public:
  Chooser(const Graph& graph, std::span<const Cluster> clusters, std::span<const Operands> operands,
          const std::vector<int>& first, int threads, const Layouts::Known& known)
      : graph_(graph),
        clusters_(clusters),
        operands_(operands),
        first_(first),
        threads_(threads),
        may_fill_(known.may_fill),
        may_transform_(known.may_transform),
        readers_(users(graph)),
        classes_(first.back()) {
    for (size_t i = 0; i < known.inputs.size(); ++i)
      known_.emplace(graph.inputs[i].value, known.inputs[i].layout);
    for (size_t i = 0; i < known.outputs.size(); ++i)
      if (known.outputs[i].layout != kRowMajor)
        classes_.vote(id(graph.outputs[i].value), known.outputs[i].layout);
  }

  std::vector<int64_t> choose() {
    join_what_is_one_memory();
    join_maps();
    for (const Cluster& cluster : clusters_) {
      vote_weights(cluster);
      vote_matrix(graph_.nodes()[static_cast<size_t>(cluster.nodes[0])]);
      vote_captured(graph_.nodes()[static_cast<size_t>(cluster.nodes[0])]);
    }
    for (size_t i = 0; i < clusters_.size(); ++i) vote_activations(clusters_[i], operands_[i]);
    vote_products();
    join_permuted();
    std::vector<int64_t> layout;
    for (int i = 0; i < first_.back(); ++i) layout.push_back(classes_.vote(i).value_or(kRowMajor));
    return layout;
  }

 private:
  int id(Value value) const { return first_[static_cast<size_t>(value.node)] + value.index; }

  void join_what_is_one_memory() {
    for (const Donation& donation : graph_.donations)
      classes_.join(id(graph_.inputs[static_cast<size_t>(donation.input)].value),
                    id(graph_.outputs[static_cast<size_t>(donation.output)].value));
    for (int i = 0; i < graph_.size(); ++i) {
      const Node& node = graph_.nodes()[static_cast<size_t>(i)];
      const std::string_view name = node.op->name;
      if (name == "bitcast" || name == "barrier" || name == "all_reduce")
        classes_.join(id(node.inputs[0]), id({i, 0}));
    }
  }

  void join_maps() {
    for (size_t i = 0; i < clusters_.size(); ++i) {
      if (is_ours(clusters_[i]) || operands_[i].outputs.empty()) continue;
      if (accepts(graph_, clusters_[i]) == Accepts::any && all_of_one_shape(graph_, operands_[i]))
        join_all(operands_[i], [&](Value value) { return graph_.type(value).shape.elements() > 1; });
    }
  }

  void join_permuted() {
    for (size_t i = 0; i < clusters_.size(); ++i) {
      if (is_ours(clusters_[i]) || accepts(graph_, clusters_[i]) == Accepts::row_major) continue;
      const int rank = highest_rank(graph_, operands_[i]);
      if (rank < 3) continue;
      join_all(operands_[i], [&](Value value) {
        const auto vote = classes_.vote(id(value));
        return graph_.type(value).shape.rank() == rank && (!vote || is_permutation(*vote));
      });
    }
  }

  template <class Wanted>
  void join_all(const Operands& operands, Wanted wanted) {
    Value first;
    for (const auto* values : {&operands.outputs, &operands.inputs})
      for (const Value value : *values) {
        if (!wanted(value)) continue;
        if (first) classes_.join(id(first), id(value));
        if (!first) first = value;
      }
  }

  // Weights that come from outside are stored as the forward convolution wants them.
  void vote_weights(const Cluster& cluster) {
    const Node& node = graph_.nodes()[static_cast<size_t>(cluster.nodes[0])];
    if (node.op->name != "conv2d" && node.op->name != "conv_general") return;
    if (contractions_in(graph_, cluster).size() > 1) return;  // row-major ones
    const Value weights = weights_of(graph_, node);
    if (!is_leaf(graph_.node(weights))) return;
    const auto convolution = convolution_of(graph_, node);
    if (!convolution) return;
    // Asking oneDNN takes longer than making the rest of a small plan.
    if (const auto known = known_.find(weights); known != known_.end())
      return classes_.vote(id(weights), known->second);
    if (may_transform_ && has_one_reader(weights) && winograd_takes_transformed(graph_, cluster))
      return classes_.vote(id(weights), kTransformed);
    // Weights that the kernel casts it also moves, so the gradient decides.
    const bool casts = graph_.type(weights).dtype != convolution->dtype;
    classes_.vote(id(weights),
                  casts ? best_gradient_layout(*convolution, threads_)
                        : best_weight_layout(*convolution, threads_, may_fill_ && only_weights(weights)));
  }

  // A matrix from outside that one product alone reads lies as that product's kernel would pack it.
  void vote_matrix(const Node& node) {
    if (node.op->name != "dot_general" || runs_on_integers(graph_, node)) return;
    const Value matrix = node.inputs[1];
    if (!may_fill_ || !is_leaf(graph_.node(matrix)) || !has_one_reader(matrix) || node.inputs[0] == matrix)
      return;
    if (const auto known = known_.find(matrix); known != known_.end())
      return classes_.vote(id(matrix), known->second);
    if (const auto layout = packed_layout(graph_, node, threads_)) classes_.vote(id(matrix), *layout);
  }

  bool is_output(Value value) const {
    return std::ranges::any_of(graph_.outputs, [&](const Port& port) { return port.value == value; });
  }
  bool has_one_reader(Value value) const {
    return readers_[static_cast<size_t>(value.node)].size() == 1 && !is_output(value);
  }

  // Whether nothing would meet the zeros that fill blocks: all who read it are forward convolutions.
  bool only_weights(Value value) const {
    if (is_output(value)) return false;
    const auto& readers = readers_[static_cast<size_t>(value.node)];
    return std::all_of(readers.begin(), readers.end(), [&](int reader) {
      const Node& node = graph_.nodes()[static_cast<size_t>(reader)];
      bool only = true;
      for (size_t i = 0; i < node.inputs.size(); ++i)
        only = only && (node.inputs[i] != value || takes_any_layout(node, i) || is_forward_weight(node, i));
      return only;
    });
  }
  static bool is_forward_weight(const Node& node, size_t operand) {
    return operand == 1 && (node.op->name == "conv2d" || node.op->name == "conv_general");
  }

  // What every round of a scan reads, or every part of a batch, is stored as the body wants it.
  void vote_captured(const Node& node) {
    const bool parts = node.op->name == "in_parts";
    if (node.op->name != "scan" && !parts) return;
    // Weights of a scan are read only; those of parts the optimizer may meet, too.
    const std::vector<int64_t> usual = wanted_layouts(node, threads_, !parts, false);
    const std::vector<int64_t> own = may_transform_ ? wanted_layouts(node, threads_, true, true) : usual;
    for (size_t i = 0; i < usual.size(); ++i) {
      const Value value = node.inputs[i];
      if (!takes_any_layout(node, i) || !is_leaf(graph_.node(value))) continue;
      const bool alone = has_one_reader(value) && std::ranges::count(node.inputs, value) == 1;
      if (parts || only_weights(value)) classes_.vote(id(value), alone ? own[i] : usual[i]);
    }
  }

  void vote_parts(int index) {
    const Node& node = graph_.nodes()[static_cast<size_t>(index)];
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (is_cut(node, i))
        classes_.vote(id(node.inputs[i]), channels_last(graph_.type(node.inputs[i]).shape.rank()));
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (is_joined(node, i))
        classes_.vote(id({index, static_cast<int32_t>(i)}), channels_last(node.outputs[i].shape.rank()));
  }

  void vote_activations(const Cluster& cluster, const Operands& operands) {
    const Node& node = graph_.nodes()[static_cast<size_t>(cluster.nodes[0])];
    if (node.op->name == "in_parts") return vote_parts(cluster.nodes[0]);
    if (!convolution_of(graph_, node)) return;
    const std::string_view name = node.op->name;
    const auto vote = [&](Value value) {
      classes_.vote(id(value), channels_last(graph_.type(value).shape.rank()));
    };
    const bool integers = runs_on_integers(graph_, node);
    if (!integers) vote(node.inputs[0]);
    if (name == "conv_weight_grad") return vote(node.inputs[1]);
    for (const Value output : operands.outputs) vote(output);
    for (const Value input : operands.inputs)
      if (integers || (graph_.type(input) == node.outputs[0] && input != weights_of(graph_, node)))
        vote(input);
  }

  // A product that is only read through transposes is stored as their result wants it: row-major.
  void vote_products() {
    for (size_t i = 0; i < clusters_.size(); ++i) {
      if (graph_.nodes()[static_cast<size_t>(clusters_[i].nodes[0])].op->name != "dot_general") continue;
      const Value result = operands_[i].outputs[0];
      int64_t layout = kRowMajor;
      const auto follow = [&](const auto& self, Value value) -> void {
        const auto& all = readers_[static_cast<size_t>(value.node)];
        if (all.size() != 1) return;
        const Node& reader = graph_.nodes()[static_cast<size_t>(all[0])];
        if (reader.op->name != "transpose" || !is_alias(graph_, reader)) return;
        self(self, {all[0], 0});
        layout = before_transpose(layout, reader.attributes.get<Ints>("permutation"));
      };
      follow(follow, result);
      if (can_store_product(graph_, clusters_[i], layout)) classes_.vote(id(result), layout);
    }
  }

  bool is_ours(const Cluster& cluster) const {
    const Node& node = graph_.nodes()[static_cast<size_t>(cluster.nodes[0])];
    return is_contraction(node) || is_control(node);
  }

  const Graph& graph_;
  std::span<const Cluster> clusters_;
  std::span<const Operands> operands_;
  const std::vector<int>& first_;
  int threads_;
  bool may_fill_, may_transform_;
  const std::vector<std::vector<int>> readers_;
  Classes classes_;
  std::map<Value, int64_t> known_;  // of inputs
};

}  // namespace

Layouts::Layouts(const Graph& graph, std::span<const Cluster> clusters, std::span<const Operands> operands,
                 int threads, const Known& known) {
  first_.push_back(0);
  for (const Node& node : graph.nodes())
    first_.push_back(first_.back() + static_cast<int>(node.outputs.size()));
  layout_ = Chooser(graph, clusters, operands, first_, threads, known).choose();
}

int64_t cluster_layout(const Graph& graph, const Cluster& cluster, const Operands& operands,
                       const Layouts& layouts) {
  const Accepts accepted = accepts(graph, cluster);
  if (accepted == Accepts::row_major) return kRowMajor;
  const int rank = highest_rank(graph, operands);
  if (accepted == Accepts::any && all_of_one_shape(graph, operands)) return layouts.of(operands.outputs[0]);
  if (rank < 3) return kRowMajor;
  for (const auto* values : {&operands.outputs, &operands.inputs})
    for (const Value value : *values)
      if (graph.type(value).shape.rank() == rank)
        return is_permutation(layouts.of(value)) ? layouts.of(value) : kRowMajor;
  return kRowMajor;
}

int64_t operand_layout(const Graph& graph, const Operands& operands, Value value, int64_t chosen) {
  const Shape& shape = graph.type(value).shape;
  if (shape.rank() != highest_rank(graph, operands)) return kRowMajor;
  return is_permutation(chosen) || shape.elements() > 1 ? chosen : kRowMajor;
}

}  // namespace temper::cpu
