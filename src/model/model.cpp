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
