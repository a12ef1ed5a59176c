#pragma once
// A graph, its named parameters, and what its input and output mean.
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "model/preprocess.h"
#include "temper/tensor.h"

namespace temper {

// Inputs of `graph` named in `parameters` are parameters (trainable or running statistics); the rest is data.
struct Model {
  Graph graph;
  std::map<std::string, Tensor> parameters;
  std::optional<Preprocess> preprocess;  // how a picture becomes the input; none: the file does not say
  std::vector<std::string> labels;       // by class index; empty if the file has none
  std::map<std::string, std::string> metadata;  // from the file, kept when written back
  std::string name;                             // of the graph
};

std::vector<int> data_inputs(const Model& model);  // positions in graph.inputs

// A size for every free dimension of the data inputs: axis 0 counts the batch, any other the tokens of a
// sequence.
SymbolSizes data_sizes(const Graph& graph, std::span<const Port> inputs, int64_t batch, int64_t sequence);
// How many values the elements of an integer input have: the rows of the tables it numbers; 2 if it numbers
// none.
int64_t integer_values(const Graph& graph, Value input);

// Throws Error invalid naming the parameter unless each has an input of its type.
void check(const Model& model);

// Parameters that no gradient reaches by design: running statistics of batch norms.
std::vector<std::string> running_statistics(const Model& model);

}  // namespace temper
