#pragma once
// Built-in architectures, with a free batch size N. Parameter names and shapes are those of PyTorch:
// torchvision's for resnet and mobilenet, Hugging Face's for bert, of an nn.Sequential for mlp and cnn.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"

namespace temper::nn {

// As a person writes them: "mlp:784-128-10", "cnn", "resnet18", ...
std::vector<std::string> architectures();
bool is_architecture(
    std::string_view spec);  // "mlp:...", "bert:..." or a name; says nothing about what follows the colon

// `spec` names an architecture; mlp:A-B-...-C has relu between its dense layers; bert:LAYERS-WIDTH-HEADS is
// described in nn/bert.h. Weights are random from `seed` as PyTorch would draw them. Input "input" (bert:
// "input_ids"), output "output": logits. Error not_found suggests a name,
// invalid says what is wrong with the sizes.
Model build_model(std::string_view spec, uint64_t seed);

// The same with the parameters of a state dict, as load_parameters.
Model build_model(std::string_view spec, const std::map<std::string, Tensor>& state);

// Replaces the model's parameters by those of a state dict; floats are converted. A prefix "module." of all
// names, PyTorch's num_batches_tracked and BERT's position_ids are ignored. Error invalid lists every
// missing, unexpected and ill-shaped name, and leaves the model unchanged.
void load_parameters(Model& model, const std::map<std::string, Tensor>& state);

}  // namespace temper::nn
