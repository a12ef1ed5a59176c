#include "devices/cpu/plan.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "devices/cpu/control.h"
#include "devices/cpu/fusion.h"
#include "devices/cpu/launches.h"
#include "devices/cpu/onednn.h"
#include "devices/cpu/repeating.h"
#include "ir/op.h"
#include "target/cost.h"

namespace temper::cpu {

namespace {

class Planner {
 public:
  Planner(const Graph& graph, const Signature& signature, const CompileOptions& options)
      : graph_(graph),
        signature_(signature),
        options_(options),
        clusters_(make_clusters(graph)),
        operands_(operands_of(graph, clusters_)),
        layouts_(graph, clusters_, operands_, options.threads,
                 {.inputs = signature.inputs,
                  .outputs = signature.outputs,
                  .may_transform = options.sole_reader}) {}

  Plan plan() {
    add_arguments();
    find_direct_results();
    for (size_t i = 0; i < clusters_.size(); ++i) add_cluster(clusters_[i], operands_[i]);
    add_results();
    fit_memory(plan_, signature_, graph_.donations, options_.memory_limit);
    return std::move(plan_);
  }

 private:
  using Key = std::pair<Value, int64_t>;

  int add_buffer(Buffer::Where where, int index, int64_t bytes) {
    plan_.buffers.push_back({.where = where, .index = index, .bytes = bytes});
    return static_cast<int>(plan_.buffers.size()) - 1;
  }

  int hold(Value value, int64_t layout, int buffer) {
    home_.emplace(value, layout);
    return where_[{value, layout}] = buffer;
  }

  void add_arguments() {
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      const Argument& argument = signature_.inputs[i];
      hold(graph_.inputs[i].value, argument.layout,
           add_buffer(Buffer::argument, static_cast<int>(i), byte_size(argument.type)));
    }
  }

  // Values that a kernel may write straight into the result's memory.
  void find_direct_results() {
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      Value value = graph_.outputs[i].value;
      const int64_t layout = signature_.outputs[i].layout;
      while (graph_.node(value).op->name == "reshape" && layout == kRowMajor)
        value = graph_.node(value).inputs[0];
      const Node& node = graph_.node(value);
      if (!is_leaf(node) && !is_alias(graph_, node)) direct_.emplace(Key{value, layout}, static_cast<int>(i));
    }
  }

  // The layout that a value has in memory, or has for nothing.
  int64_t present(Value value) const {
    if (const auto found = home_.find(value); found != home_.end()) return found->second;
    const Node& node = graph_.node(value);
    if (node.op->name == "constant") return layouts_.of(value);
    if (node.op->name == "reshape") return kRowMajor;
    const int64_t before = present(node.inputs[0]);
    if (node.op->name != "transpose") return before;
    return is_permutation(before) ? after_transpose(before, node.attributes.get<Ints>("permutation"))
                                  : kRowMajor;
  }

  // The buffer with the bytes of `value` in `layout`, adding what it takes to get there.
  int read(Value value, int64_t layout) {
    if (const auto found = where_.find({value, layout}); found != where_.end()) return found->second;
    const Node& node = graph_.node(value);
    const Type& type = graph_.type(value);
    if (node.op->name == "constant") return hold(value, layout, add_constant(node, layout));
    if (node.op->name == "transpose" && is_alias(graph_, node) && is_permutation(layout))
      return read(node.inputs[0], before_transpose(layout, node.attributes.get<Ints>("permutation")));
    const int64_t from = present(value);
    if (same_memory(type.shape, layout, from)) return where_[{value, layout}] = read_present(value, from);
    return where_[{value, layout}] = add_reorder(value, read_present(value, from), from, layout);
  }

  int read_present(Value value, int64_t layout) {
    if (const auto found = where_.find({value, layout}); found != where_.end()) return found->second;
    const Node& node = graph_.node(value);
    TEMPER_CHECK(is_alias(graph_, node), graph_.describe(value.node), " is read before it is computed");
    if (node.op->name == "transpose")
      return read(node.inputs[0], before_transpose(layout, node.attributes.get<Ints>("permutation")));
    return read(node.inputs[0], layout);
  }

  int add_constant(const Node& node, int64_t layout) {
    const Tensor& source = node.attributes.get<Tensor>("value");
    Tensor& laid_out = plan_.constants.emplace_back(Type{DType::u8, {stored_bytes(source.type(), layout)}});
    move_layout(source.type(), source.data(), kRowMajor, laid_out.mutable_data(), layout);
    return add_buffer(Buffer::constant, static_cast<int>(plan_.constants.size()) - 1, source.bytes());
  }

  int add_reorder(Value value, int from, int64_t from_layout, int64_t to_layout, int to = -1) {
    const Type& type = graph_.type(value);
    if (to < 0) to = add_buffer(Buffer::arena, 0, stored_bytes(type, to_layout));
    const TeamSize team(options_.threads);
    const bool copies = same_memory(type.shape, from_layout, to_layout);
    Launch launch{.kernel = make_reorder(type, from_layout, to_layout), .buffers = {from, to}, .inputs = 1};
    launch.about = {
        .name = name_of(value.node), .kind = copies ? "copy" : "reorder", .bytes = 2 * byte_size(type)};
    add_launch(std::move(launch));
    return to;
  }

  void add_launch(Launch launch) {
    if (const int64_t scratch = launch.kernel->scratch_bytes(); scratch > 0)
      launch.buffers.push_back(add_buffer(Buffer::arena, 0, scratch));
    plan_.launches.push_back(std::move(launch));
  }

  void add_cluster(const Cluster& cluster, const Operands& operands) {
    LaunchKernel made =
        make_launch(graph_, cluster, operands, layouts_, [&](Value v) { return present(v); }, options_);
    Launch launch{.kernel = std::move(made.kernel), .inputs = static_cast<int>(operands.inputs.size())};
    launch.about = {.name = name_of(cluster.nodes.back()), .kind = cluster.kind};
    if (const std::string_view method = launch.kernel->method(); !method.empty())
      launch.about.kind += concat(" (", method, ")");
    for (const int node : cluster.nodes)
      launch.about.flops += flops(graph_, graph_.nodes()[static_cast<size_t>(node)]);
    for (size_t i = 0; i < operands.inputs.size(); ++i) {
      launch.buffers.push_back(read(operands.inputs[i], made.placement.inputs[i]));
      launch.about.bytes += byte_size(graph_.type(operands.inputs[i]));
    }
    for (size_t i = 0; i < operands.outputs.size(); ++i) {
      const Value output = operands.outputs[i];
      launch.buffers.push_back(add_output(output, made.placement.outputs[i]));
      launch.about.bytes += byte_size(graph_.type(output));
    }
    note_in_place(launch, cluster, operands, made.placement);
    add_launch(std::move(launch));
  }

  int add_output(Value value, int64_t layout) {
    const auto direct = direct_.find({value, layout});
    const int64_t bytes = byte_size(graph_.type(value));
    return hold(value, layout,
                direct == direct_.end() ? add_buffer(Buffer::arena, 0, bytes)
                                        : add_buffer(Buffer::result, direct->second, bytes));
  }

  // Which outputs may lie in the memory of which inputs.
  void note_in_place(Launch& launch, const Cluster& cluster, const Operands& operands,
                     const Placement& placement) const {
    const Node& root = graph_.nodes()[static_cast<size_t>(cluster.nodes[0])];
    if (is_contraction(root) || is_control(root)) return;
    for (size_t i = 0; i < operands.inputs.size(); ++i)
      for (size_t j = 0; j < operands.outputs.size(); ++j) {
        const Value input = operands.inputs[i], output = operands.outputs[j];
        const bool alike = byte_size(graph_.type(input)) == byte_size(graph_.type(output)) &&
                           placement.inputs[i] == placement.outputs[j];
        if (alike && in_place(graph_, cluster, input, output))
          launch.in_place.emplace_back(static_cast<int>(i), static_cast<int>(operands.inputs.size() + j));
      }
  }

  void add_results() {
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      const Value value = graph_.outputs[i].value;
      const Argument& output = signature_.outputs[i];
      const int from = read(value, output.layout);
      const Buffer& buffer = plan_.buffers[static_cast<size_t>(from)];
      const bool there = buffer.where == Buffer::result && buffer.index == static_cast<int>(i);
      const bool passed_on =
          buffer.where == Buffer::argument && is_donated(buffer.index, static_cast<int>(i));
      if (there || passed_on) continue;
      const int to = add_buffer(Buffer::result, static_cast<int>(i), byte_size(output.type));
      add_reorder(value, from, output.layout, output.layout, to);
    }
  }

  bool is_donated(int input, int output) const {
    const Donation wanted{input, output};
    return std::find(graph_.donations.begin(), graph_.donations.end(), wanted) != graph_.donations.end();
  }

  std::string name_of(int node) const {
    const Node& named = graph_.nodes()[static_cast<size_t>(node)];
    return named.name.empty() ? std::string(named.op->name) : named.name;
  }

  const Graph& graph_;
  const Signature& signature_;
  const CompileOptions& options_;
  const std::vector<Cluster> clusters_;
  const std::vector<Operands> operands_;
  const Layouts layouts_;
  Plan plan_;
  std::map<Key, int> where_;       // buffers by value and layout
  std::map<Value, int64_t> home_;  // the first layout a value had
  std::map<Key, int> direct_;      // -> result
};

}  // namespace

Signature signature(const Graph& graph, const Layouts& layouts) {
  Signature result;
  for (const Port& input : graph.inputs)
    result.inputs.push_back({input.name, graph.type(input.value), layouts.of(input.value)});
  for (const Port& output : graph.outputs)
    result.outputs.push_back({output.name, graph.type(output.value), layouts.of(output.value)});
  for (const Donation& donation : graph.donations)
    result.outputs[static_cast<size_t>(donation.output)].layout =
        result.inputs[static_cast<size_t>(donation.input)].layout;
  return result;
}

Plan make_plan(const Graph& graph, const Signature& signature, const CompileOptions& options) {
  return Planner(graph, signature, options).plan();
}

}  // namespace temper::cpu
