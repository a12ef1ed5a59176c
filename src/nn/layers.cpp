#include "nn/layers.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "base/threads.h"
#include "nn/draw.h"
#include "ops/composites.h"
#include "ops/primitives.h"

namespace temper::nn {

Initial kaiming_uniform(int64_t fan, double gain) {
  return {Initial::uniform, gain * std::sqrt(3.0 / static_cast<double>(fan))};
}

Initial kaiming_normal(int64_t fan, double gain) {
  return {Initial::normal, gain / std::sqrt(static_cast<double>(fan))};
}

Initial xavier_uniform(int64_t fan_in, int64_t fan_out) {
  return {Initial::uniform, std::sqrt(6.0 / static_cast<double>(fan_in + fan_out))};
}

Initial torch_uniform(int64_t fan_in) {
  return {Initial::uniform, 1 / std::sqrt(static_cast<double>(fan_in))};
}

// Numbers of a kind times `value`, drawn in parallel.
template <class Number>
static void draw_all(std::span<Number> values, const Initial& initial, uint64_t seed, std::string_view name) {
  constexpr int64_t kAtOnce = kDrawnTogether * kPerBlock, kGrain = 512;  // groups worth a thread
  const PhiloxKey root{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  const PhiloxKey key = fold_in(root, hash_bytes(name));
  const auto draw = initial.kind == Initial::normal ? draw_normal : draw_uniform;
  const auto count = static_cast<int64_t>(values.size());
  parallel_for((count + kAtOnce - 1) / kAtOnce, kGrain, [&](int64_t begin, int64_t end) {
    Drawn numbers;
    for (int64_t group = begin; group < end; ++group) {
      draw(key, static_cast<uint64_t>(group * kDrawnTogether), numbers);
      const int64_t first = group * kAtOnce, left = std::min(kAtOnce, count - first);
      for (int64_t i = 0; i < left; ++i)
        values[static_cast<size_t>(first + i)] =
            static_cast<Number>(initial.value * numbers[static_cast<size_t>(i)]);
    }
  });
}

Tensor initial_tensor(const Type& type, const Initial& initial, uint64_t seed, std::string_view name) {
  if (initial.kind == Initial::constant && initial.value == 0) return Tensor(type);
  if (initial.kind != Initial::constant && type.dtype == DType::f32) {
    Tensor tensor(type);
    draw_all(tensor.mutable_values<float>(), initial, seed, name);
    return tensor;
  }
  std::vector<double> values(static_cast<size_t>(type.shape.elements()), initial.value);
  if (initial.kind != Initial::constant) draw_all(std::span(values), initial, seed, name);
  return from_doubles(type, values);
}

Layers::Layers(Model& model, std::optional<uint64_t> seed)
    : model_(model), builder_(model.graph), seed_(seed) {}

Value Layers::parameter(const std::string& name, const Type& type, const Initial& initial) {
  TEMPER_CHECK(!model_.graph.find_input(name), "parameter ", name, " twice");
  model_.parameters[name] = seed_ ? initial_tensor(type, initial, *seed_, name) : Tensor(type);
  return builder_.input(name, type);
}

Value Layers::dense(const std::string& name, Value x, int64_t units, std::optional<Initial> weight,
                    std::optional<Initial> bias) {
  const DType dtype = builder_.dtype(x);
  const int last = builder_.shape(x).rank() - 1;
  const int64_t features = builder_.shape(x).size(last);
  const Initial usual = torch_uniform(features);
  const Value w = parameter(name + ".weight", {dtype, {units, features}}, weight.value_or(usual));
  const Value b = parameter(name + ".bias", {dtype, {units}}, bias.value_or(usual));
  builder_.set_default_name(name);
  return ops::add(builder_, ops::dot_general(builder_, x, w, {.x_contract = {last}, .y_contract = {1}}), b);
}

Value Layers::conv(const std::string& name, Value x, const ConvLayer& layer) {
  const DType dtype = builder_.dtype(x);
  const int64_t channels = builder_.shape(x).size(1) / layer.groups;
  const Initial usual = torch_uniform(channels * layer.window * layer.window);
  const Type weight{dtype, {layer.channels, channels, layer.window, layer.window}};
  const Value w = parameter(name + ".weight", weight, layer.weight.value_or(usual));
  const Value b = layer.bias ? parameter(name + ".bias", {dtype, {layer.channels}}, usual) : Value{};
  builder_.set_default_name(name);
  return ops::conv2d(builder_, x, w, b,
                     {.strides = {layer.stride, layer.stride},
                      .low = {layer.padding, layer.padding},
                      .high = {layer.padding, layer.padding},
                      .groups = layer.groups});
}

Value Layers::batch_norm(const std::string& name, Value x) {
  static constexpr double kEpsilon = 1e-5, kMomentum = 0.9;  // PyTorch's defaults; its momentum is 1 - ours
  const Type type{builder_.dtype(x), {builder_.shape(x)[1]}};
  const Initial one{Initial::constant, 1}, zero{Initial::constant, 0};
  const Value scale = parameter(name + ".weight", type, one);
  const Value bias = parameter(name + ".bias", type, zero);
  const Value mean = parameter(name + ".running_mean", type, zero);
  const Value variance = parameter(name + ".running_var", type, one);
  builder_.set_default_name(name);
  return ops::batch_norm_infer(builder_, x, scale, bias, mean, variance, kEpsilon, kMomentum);
}

Value Layers::layer_norm(const std::string& name, Value x, double epsilon) {
  const int last = builder_.shape(x).rank() - 1;
  const Type type{builder_.dtype(x), {builder_.shape(x)[last]}};
  const Value scale = parameter(name + ".weight", type, {Initial::constant, 1});
  const Value bias = parameter(name + ".bias", type, {Initial::constant, 0});
  builder_.set_default_name(name);
  return ops::layer_norm(builder_, x, scale, bias, last, epsilon).y;
}

Value Layers::embedding(const std::string& name, Value ids, int64_t rows, int64_t width,
                        const Initial& weight) {
  const Value table = parameter(name + ".weight", {DType::f32, {rows, width}}, weight);
  builder_.set_default_name(name);
  return ops::embedding(builder_, table, ids);
}

Value Layers::activation(const std::string& name, Value x, std::string_view kind) {
  builder_.set_default_name(name);
  if (kind == "relu") return ops::relu(builder_, x);
  if (kind == "relu6") return ops::clamp(builder_, x, 0, 6);
  if (kind == "gelu") return ops::gelu(builder_, x, false);
  if (kind == "tanh") return ops::tanh(builder_, x);
  TEMPER_CHECK(kind == "sigmoid", "activation ", kind);
  return ops::sigmoid(builder_, x);
}

Value Layers::dropout(const std::string& name, Value x, double rate) {
  builder_.set_default_name(name);
  return ops::dropout_infer(builder_, x, rate);
}

Value Layers::max_pool(const std::string& name, Value x, int64_t window, int64_t stride, int64_t padding) {
  builder_.set_default_name(name);
  return ops::max_pool(builder_, x,
                       {.window = {window, window},
                        .strides = {stride, stride},
                        .low = {padding, padding},
                        .high = {padding, padding}});
}

static bool has_static_picture(const Shape& shape) { return shape[2].is_static() && shape[3].is_static(); }

Value Layers::global_avg_pool(const std::string& name, Value x) {
  builder_.set_default_name(name);
  const Shape shape = builder_.shape(x);
  if (!has_static_picture(shape)) return ops::reduce_mean(builder_, x, {2, 3});
  const Value pooled = ops::avg_pool(builder_, x, {.window = {shape.size(2), shape.size(3)}}, false);
  return ops::reshape(builder_, pooled, {shape[0], shape[1]});
}

Value Layers::global_max_pool(const std::string& name, Value x) {
  builder_.set_default_name(name);
  const Shape shape = builder_.shape(x);
  if (!has_static_picture(shape)) return ops::reduce_max(builder_, x, {2, 3});
  const Value pooled = ops::max_pool(builder_, x, {.window = {shape.size(2), shape.size(3)}});
  return ops::reshape(builder_, pooled, {shape[0], shape[1]});
}

Value Layers::flatten(const std::string& name, Value x) {
  builder_.set_default_name(name);
  const Shape shape = builder_.shape(x);
  int64_t features = 1;
  for (int axis = 1; axis < shape.rank(); ++axis) features *= shape.size(axis);
  return ops::reshape(builder_, x, {shape[0], features});
}

}  // namespace temper::nn
