#include "ir/graph.h"

#include <algorithm>
#include <set>

#include "ir/op.h"

namespace temper {

static Value find_port(const std::vector<Port>& ports, std::string_view name) {
  for (const Port& port : ports) {
    if (port.name == name) return port.value;
  }
  return {};
}

Value Graph::find_input(std::string_view name) const { return find_port(inputs, name); }
Value Graph::find_output(std::string_view name) const { return find_port(outputs, name); }

std::string Graph::describe(int index) const {
  const Node& node = nodes_[static_cast<size_t>(index)];
  if (node.name.empty()) return concat(node.op->name, " (node ", index, ")");
  return concat(node.name, " (", node.op->name, ", node ", index, ")");
}

std::vector<std::vector<int>> users(const Graph& graph) {
  std::vector<std::vector<int>> result(static_cast<size_t>(graph.size()));
  for (int i = 0; i < graph.size(); ++i) {
    for (Value input : graph.nodes()[static_cast<size_t>(i)].inputs) {
      if (!input) continue;
      auto& list = result[static_cast<size_t>(input.node)];
      if (list.empty() || list.back() != i) list.push_back(i);
    }
  }
  return result;
}

static bool in_range(const Graph& graph, Value value, int before) {
  return value.node >= 0 && value.node < before && value.index >= 0 &&
         value.index < static_cast<int>(graph.node(value).outputs.size());
}

static void verify_node(const Graph& graph, int index) {
  const Node& node = graph.nodes()[static_cast<size_t>(index)];
  std::vector<Type> types;
  std::vector<char> present;
  for (Value input : node.inputs) {
    TEMPER_CHECK(!input || in_range(graph, input, index), graph.describe(index),
                 " reads a value not before it");
    present.push_back(static_cast<bool>(input));
    types.push_back(input ? graph.type(input) : Type{});
  }
  const auto* flags = reinterpret_cast<const bool*>(present.data());
  const InferContext context{*node.op, types, {flags, present.size()}, node.attributes, node.regions};
  TEMPER_CHECK(node.op->infer(context) == node.outputs, graph.describe(index),
               " has types other than inferred");
  for (const Graph& region : node.regions) verify(region);
}

static void verify_ports(const Graph& graph) {
  std::set<std::string> names;
  for (const Port& port : graph.inputs) {
    TEMPER_CHECK(in_range(graph, port.value, graph.size()) && graph.node(port.value).op == &input_op,
                 "input ", port.name, " is no input node");
    TEMPER_CHECK(names.insert(port.name).second, "two inputs are named ", port.name);
  }
  names.clear();
  for (const Port& port : graph.outputs) {
    TEMPER_CHECK(in_range(graph, port.value, graph.size()), "output ", port.name, " has no value");
    TEMPER_CHECK(names.insert(port.name).second, "two outputs are named ", port.name);
  }
  const auto count = std::count_if(graph.nodes().begin(), graph.nodes().end(),
                                   [](const Node& node) { return node.op == &input_op; });
  TEMPER_CHECK(count == static_cast<int64_t>(graph.inputs.size()), "an input node is no input of the graph");
}

static void verify_donations(const Graph& graph) {
  std::set<int> from, to;
  for (const Donation& pair : graph.donations) {
    TEMPER_CHECK(pair.input >= 0 && pair.input < static_cast<int>(graph.inputs.size()) && pair.output >= 0 &&
                 pair.output < static_cast<int>(graph.outputs.size()));
    const Port& input = graph.inputs[static_cast<size_t>(pair.input)];
    const Port& output = graph.outputs[static_cast<size_t>(pair.output)];
    TEMPER_CHECK(graph.type(input.value) == graph.type(output.value), "donation of ", input.name, " to ",
                 output.name, " changes the type");
    TEMPER_CHECK(from.insert(pair.input).second && to.insert(pair.output).second, input.name,
                 " is donated twice");
  }
}

void verify(const Graph& graph) {
  for (int i = 0; i < graph.size(); ++i) verify_node(graph, i);
  verify_ports(graph);
  verify_donations(graph);
}

static bool same_ports(const std::vector<Port>& a, const std::vector<Port>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Port& x, const Port& y) { return x.name == y.name && x.value == y.value; });
}

static bool same_node(const Node& a, const Node& b) {
  return a.op == b.op && a.inputs == b.inputs && a.attributes == b.attributes && a.outputs == b.outputs &&
         a.name == b.name &&
         std::equal(a.regions.begin(), a.regions.end(), b.regions.begin(), b.regions.end(), same);
}

bool same(const Graph& a, const Graph& b) {
  return std::equal(a.nodes().begin(), a.nodes().end(), b.nodes().begin(), b.nodes().end(), same_node) &&
         same_ports(a.inputs, b.inputs) && same_ports(a.outputs, b.outputs) && a.donations == b.donations;
}

}  // namespace temper
