#include "ops/interpreter/interpret.h"

namespace temper {

std::vector<Tensor> interpret(const Graph& graph, std::span<const Tensor> inputs, Rounding rounding) {
  if (inputs.size() != graph.inputs.size())
    throw Error(ErrorKind::invalid,
                concat("expected ", graph.inputs.size(), " inputs, found ", inputs.size()));
  std::vector<Array> arrays;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Port& port = graph.inputs[i];
    if (inputs[i].type() != graph.type(port.value))
      throw Error(ErrorKind::invalid,
                  concat("input ", port.name, ": expected ", to_string(graph.type(port.value)), ", found ",
                         to_string(inputs[i].type())));
    arrays.push_back(to_array(inputs[i]));
  }
  std::vector<const Array*> arguments;
  for (const Array& array : arrays) arguments.push_back(&array);
  std::vector<Tensor> outputs;
  for (const Array& array : evaluate_graph(graph, arguments, rounding)) outputs.push_back(to_tensor(array));
  return outputs;
}

}  // namespace temper
