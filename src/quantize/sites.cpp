#include "quantize/sites.h"

#include <algorithm>

#include "ir/op.h"

namespace temper {
namespace {

class Finder {
 public:
  explicit Finder(const Model& model) : model_(model), graph_(model.graph), readers_(users(model.graph)) {
    for (const Port& output : graph_.outputs) leaving_.insert(output.value);
  }

  Sites run() {
    for (int i = 0; i < graph_.size(); ++i)
      if (const auto site = site_of(i)) sites_.contractions[i] = *site;
    for (auto& [node, site] : sites_.contractions) {
      if (!site.bias) find_added_bias(node, site);
      sites_.values.insert(site.x);
    }
    for (const auto& [node, site] : sites_.contractions) add_result({node, 0});
    for (int i = 0; i < graph_.size(); ++i) share(i);
    return std::move(sites_);
  }

 private:
  const Node& node(int i) const { return graph_.nodes()[static_cast<size_t>(i)]; }

  std::optional<Site> site_of(int i) const {
    const Node& n = node(i);
    const bool is_convolution = n.op->name == "conv2d";
    if (!is_convolution && n.op->name != "dot_general") return std::nullopt;
    if (n.outputs[0].dtype != DType::f32) return std::nullopt;
    Site site{.x = n.inputs[0], .weights = n.inputs[1]};
    const Tensor* weights = fixed_tensor(model_, site.weights);
    if (!weights || weights->dtype() != DType::f32 || fixed_tensor(model_, site.x)) return std::nullopt;
    if (is_convolution) {
      if (n.inputs.size() > 2) site.bias = n.inputs[2];
      return !site.bias || fixed_tensor(model_, site.bias) ? std::optional(site) : std::nullopt;
    }
    const Ints& contract = n.attributes.get<Ints>("x_contract");
    const int rank = graph_.type(site.x).shape.rank();
    if (weights->shape().rank() != 2 || contract != Ints{rank - 1} ||
        !n.attributes.get<Ints>("x_batch").empty())
      return std::nullopt;
    site.channel_axis = 1 - n.attributes.get<Ints>("y_contract")[0];
    return site;
  }

  const Node* only_reader(Value value, int& at) const {
    const auto& readers = readers_[static_cast<size_t>(value.node)];
    if (readers.size() != 1 || leaving_.contains(value)) return nullptr;
    at = readers[0];
    return &node(at);
  }

  // A fixed vector that is spread over the channels and added to the contraction.
  void find_added_bias(int contraction, Site& site) {
    int at = 0;
    const Node* sum = only_reader({contraction, 0}, at);
    if (!sum || sum->op->name != "add") return;
    const Value other = sum->inputs[sum->inputs[0] == Value{contraction, 0} ? 1 : 0];
    const Node& spread = graph_.node(other);
    const int rank = graph_.type(other).shape.rank();
    const int channel = node(contraction).op->name == "conv2d" ? 1 : rank - 1;
    if (spread.op->name != "broadcast_in_dim" || spread.attributes.get<Ints>("axes") != Ints{channel}) return;
    const Tensor* bias = fixed_tensor(model_, spread.inputs[0]);
    if (!bias || bias->dtype() != DType::f32 || sites_.biases.contains(other.node)) return;
    if (bias->elements() !=
        fixed_tensor(model_, site.weights)->shape().size(static_cast<int>(site.channel_axis)))
      return;
    site.bias = spread.inputs[0];
    sites_.biases[other.node] = contraction;
  }

  // Whether one kernel does it after a contraction.
  bool follows(const Node& n, Value from) const {
    const std::string_view name = n.op->name;
    if (name == "sigmoid" || name == "tanh" || name == "add") return true;
    if (name != "max" && name != "min" && name != "mul") return false;
    const Node* other = &graph_.node(n.inputs[n.inputs[0] == from ? 1 : 0]);
    while (other->op->name == "broadcast_in_dim") other = &graph_.node(other->inputs[0]);
    return other->op == &constant_op && other->outputs[0].shape.elements() == 1;
  }

  // The end of a contraction and what follows it is stored as integers: pictures always, and of a sum of two
  // contractions the one that is not computed in the kernel of the other.
  void add_result(Value end) {
    for (int at = 0; const Node* next = only_reader(end, at);) {
      if (!follows(*next, end)) break;
      if (next->op->name == "add" && !sites_.biases.contains(other_of(*next, end).node)) {
        const Value other = other_of(*next, end);
        const bool first = absorbed_.insert(at).second;
        if (!first) break;  // the kernel of another contraction sums
        if (graph_.type(other) != graph_.type(end) || fixed_tensor(model_, other)) break;
      }
      end = {at, 0};
    }
    if (graph_.type(end).shape.rank() >= 3 && !leaving_.contains(end)) sites_.values.insert(end);
  }

  static Value other_of(const Node& n, Value value) { return n.inputs[n.inputs[0] == value ? 1 : 0]; }

  // What moves integers wants one scale before and after.
  void share(int i) {
    const std::string_view name = node(i).op->name;
    if (name != "max_pool" && name != "concat" && name != "reshape" && name != "transpose" && name != "slice")
      return;
    const Value result{i, 0};
    const bool all =
        std::ranges::all_of(node(i).inputs, [&](Value input) { return sites_.values.contains(input); });
    if (!all || graph_.type(result).dtype != DType::f32) return;
    if (name == "concat" || name == "max_pool") {
      if (leaving_.contains(result)) return;
      sites_.values.insert(result);
    }
    if (!sites_.values.contains(result)) return;
    for (const Value input : node(i).inputs) join(input, result);
  }

  Value root(Value value) const {
    for (auto found = sites_.shared.find(value); found != sites_.shared.end();
         found = sites_.shared.find(value))
      value = found->second;
    return value;
  }
  void join(Value a, Value b) {
    a = root(a), b = root(b);
    if (a != b) sites_.shared[b] = a;
  }

  const Model& model_;
  const Graph& graph_;
  const std::vector<std::vector<int>> readers_;
  std::set<Value> leaving_;
  std::set<int> absorbed_;  // sums that a contraction's kernel computes
  Sites sites_;
};

}  // namespace

const Tensor* fixed_tensor(const Model& model, Value value) {
  const Node& node = model.graph.node(value);
  if (node.op == &constant_op) return &node.attributes.get<Tensor>("value");
  if (node.op != &input_op) return nullptr;
  for (const Port& port : model.graph.inputs) {
    if (port.value != value) continue;
    const auto found = model.parameters.find(port.name);
    return found == model.parameters.end() ? nullptr : &found->second;
  }
  return nullptr;
}

Sites find_sites(const Model& model) { return Finder(model).run(); }

}  // namespace temper
