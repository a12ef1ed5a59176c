#include "model/model.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "ir/op.h"
#include "temper/error.h"

namespace temper {

std::vector<int> data_inputs(const Model& model) {
  std::vector<int> result;
  for (size_t i = 0; i < model.graph.inputs.size(); ++i)
    if (!model.parameters.contains(model.graph.inputs[i].name)) result.push_back(static_cast<int>(i));
  return result;
}

SymbolSizes data_sizes(const Graph& graph, std::span<const Port> inputs, int64_t batch, int64_t sequence) {
  SymbolSizes sizes;
  for (const bool first : {true, false})
    for (const Port& port : inputs) {
      const Shape& shape = graph.type(port.value).shape;
      for (int axis = 0; axis < shape.rank(); ++axis)
        if (!shape[axis].is_static() && (axis == 0) == first)
          sizes.emplace(std::string(shape[axis].symbol_name()), first ? batch : sequence);
    }
  return sizes;
}

int64_t integer_values(const Graph& graph, Value input) {
  const auto readers = users(graph);
  std::set<int> seen{input.node};
  std::vector<int> open{input.node};
  std::optional<int64_t> least;
  while (!open.empty()) {
    const int at = open.back();
    open.pop_back();
    for (const int reader : readers[static_cast<size_t>(at)]) {
      const Node& node = graph.nodes()[static_cast<size_t>(reader)];
      const std::string_view op = node.op->name;
      if ((op == "embedding" || op == "gather") && node.inputs[1].node == at) {
        const int64_t axis = op == "gather" ? node.attributes.get<Ints>("start_index_map")[0] : 0;
        const Dim rows = graph.type(node.inputs[0]).shape[static_cast<int>(axis)];
        if (rows.is_static()) least = std::min(least.value_or(rows.size()), rows.size());
      } else if (!is_float(node.outputs[0].dtype) && seen.insert(reader).second) {
        open.push_back(reader);  // a number of another row at most: indices are wrapped, moved, converted
      }
    }
  }
  return least.value_or(2);
}

void check(const Model& model) {
  for (const auto& [name, tensor] : model.parameters) {
    const Value input = model.graph.find_input(name);
    if (!input)
      throw Error(ErrorKind::invalid, concat("parameter ", name, ": the graph has no input of that name"));
    if (tensor.empty() || tensor.type() != model.graph.type(input))
      throw Error(ErrorKind::invalid,
                  concat("parameter ", name, ": the graph wants ", to_string(model.graph.type(input)),
                         ", found ", tensor.empty() ? "nothing" : to_string(tensor.type())));
  }
}

std::vector<std::string> running_statistics(const Model& model) {
  std::set<Value> statistics;
  for (const Node& node : model.graph.nodes())
    if (node.op->name == "batch_norm_infer") statistics.insert({node.inputs[3], node.inputs[4]});
  std::vector<std::string> result;
  for (const Port& port : model.graph.inputs)
    if (statistics.contains(port.value) && model.parameters.contains(port.name)) result.push_back(port.name);
  return result;
}

}  // namespace temper
