#pragma once
// Layers: each emits its nodes, and its parameters with their first values, into a model under construction.
#include <optional>
#include <string>
#include <string_view>

#include "ir/builder.h"
#include "model/model.h"

namespace temper::nn {

// How a new parameter is filled.
struct Initial {
  enum Kind { constant, uniform, normal } kind = constant;
  double value = 0;  // the constant; uniform: in [-value, value); normal: the standard deviation around 0
};

// Bounds and deviations by the number of inputs or outputs of one neuron; gain 1 keeps the variance of a
// linear layer, sqrt(2) that of one before relu. Sources: He et al., arXiv:1502.01852; Glorot, Bengio,
// AISTATS 2010.
Initial kaiming_uniform(int64_t fan, double gain);
Initial kaiming_normal(int64_t fan, double gain);
Initial xavier_uniform(int64_t fan_in, int64_t fan_out);
// Weights and biases of PyTorch's Linear and Conv2d: uniform up to 1 / sqrt(fan_in).
Initial torch_uniform(int64_t fan_in);

// Depends on the seed and the name alone, so that adding a layer changes no other.
Tensor initial_tensor(const Type& type, const Initial& initial, uint64_t seed, std::string_view name);

struct ConvLayer {
  int64_t channels, window = 3, stride = 1, padding = 0, groups = 1;
  bool bias = true;
  std::optional<Initial> weight;  // none: torch_uniform
};

// Parameters are named as in PyTorch: `name`.weight, `name`.bias, `name`.running_mean, `name`.running_var,
// and get the dtype of x. Every node of a layer carries the layer's name. Not for use after the model is
// moved.
class Layers {
 public:
  // model must outlive this. seed none: parameters stay zero, for whoever brings their values.
  Layers(Model& model, std::optional<uint64_t> seed);

  Builder& builder() { return builder_; }
  // A new graph input with its first value. Internal error if the name is taken.
  Value parameter(const std::string& name, const Type& type, const Initial& initial);

  // x: [..., features] -> [..., units]; weight: [units, features]. weight none: torch_uniform
  Value dense(const std::string& name, Value x, int64_t units, std::optional<Initial> weight = {},
              std::optional<Initial> bias = {});
  Value conv(const std::string& name, Value x, const ConvLayer& layer);  // x: [n, c, h, w]
  Value batch_norm(const std::string& name, Value x);                    // channels are axis 1
  Value layer_norm(const std::string& name, Value x, double epsilon);    // over the last axis
  // Rows of a table by number; ids: i64 [...] -> f32 [..., width]
  Value embedding(const std::string& name, Value ids, int64_t rows, int64_t width, const Initial& weight);
  Value activation(const std::string& name, Value x,
                   std::string_view kind);                       // relu, relu6, gelu, tanh, sigmoid
  Value dropout(const std::string& name, Value x, double rate);  // drops in training mode
  Value max_pool(const std::string& name, Value x, int64_t window, int64_t stride, int64_t padding = 0);
  Value global_avg_pool(const std::string& name, Value x);  // [n, c, h, w] -> [n, c]
  Value global_max_pool(const std::string& name, Value x);  // [n, c, h, w] -> [n, c]
  Value flatten(const std::string& name, Value x);          // [n, ...] -> [n, features]

 private:
  Model& model_;
  Builder builder_;
  std::optional<uint64_t> seed_;
};

}  // namespace temper::nn
