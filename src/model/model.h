#pragma once
// A graph, its named parameters, and what its input and output mean.
#include <map>
#include <optional>
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

// Throws Error invalid naming the parameter unless each has an input of its type.
void check(const Model& model);

// Parameters that no gradient reaches by design: running statistics of batch norms.
std::vector<std::string> running_statistics(const Model& model);

}  // namespace temper
