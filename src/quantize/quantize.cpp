#include "quantize/quantize.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "base/threads.h"
#include "ir/builder.h"
#include "ops/composites.h"
#include "passes/passes.h"
#include "quantize/sites.h"
#include "runtime/compile.h"
#include "temper/error.h"

namespace temper {
namespace {

// The model's only data input.
const Port& data_port(const Model& model) {
  const std::vector<int> data = data_inputs(model);
  if (data.size() != 1 ||
      model.graph.type(model.graph.inputs[static_cast<size_t>(data[0])].value).dtype != DType::f32)
    throw Error(ErrorKind::unsupported, "int8: the model must have one data input, of floats");
  return model.graph.inputs[static_cast<size_t>(data[0])];
}

// Runs the float model and counts what its values hold.
std::map<Value, Histogram> observe(Device& device, const Model& model, const std::set<Value>& values,
                                   std::span<const Tensor> batches, const CompileOptions& options) {
  const Port& input = data_port(model);
  Graph graph = model.graph;
  graph.outputs.clear();
  for (const Value value : values)
    if (value != input.value) graph.outputs.push_back({concat("seen.", graph.outputs.size()), value});
  const std::vector<Port> watched = graph.outputs;
  const SymbolSizes sizes = bind_symbols({&input, 1}, graph, batches.first(1));
  const std::unique_ptr<Executable> executable =
      compile(device, specialise(eliminate_dead(graph), sizes), options);
  const std::unique_ptr<Context> context = executable->make_context();
  std::vector<Tensor> arguments, results(watched.size());
  size_t data = 0;
  for (const Argument& argument : executable->program().inputs) {
    const bool is_data = argument.name == input.name;
    if (is_data) data = arguments.size();
    arguments.push_back(is_data ? device.allocate(argument.type, argument.layout)
                                : upload(device, model.parameters.at(argument.name), argument));
  }
  std::map<Value, Histogram> seen;
  for (const Value value : values) seen[value];
  for (const Tensor& batch : batches) {
    if (batch.type() != arguments[data].type())
      throw Error(ErrorKind::invalid, concat("int8: samples are ", to_string(batch.type()), ", expected ",
                                             to_string(arguments[data].type())));
    if (values.contains(input.value)) seen.at(input.value).add(batch.values<float>());
    device.copy(batch, arguments[data]);
    executable->run(*context, arguments, results);
    std::vector<Tensor> found;
    for (const Tensor& result : results) found.push_back(download(device, result));
    parallel_for_each(static_cast<int64_t>(watched.size()), [&](int64_t at) {
      const auto i = static_cast<size_t>(at);
      seen.at(watched[i].value).add(found[i].values<float>());
    });
  }
  return seen;
}

struct Scale {
  float scale = 1;
  uint8_t zero = 0;
};

Scale scale_of(const Range& range) {
  if (range.low == range.high) return {};
  const auto scale = static_cast<float>((range.high - range.low) / 255);
  const double zero = std::clamp(std::nearbyint(-range.low / static_cast<double>(scale)), 0.0, 255.0);
  return {scale, static_cast<uint8_t>(zero)};
}

// Of every value that becomes integers. Those that share a scale are seen as one.
std::map<Value, Scale> scales_of(const Sites& sites, std::map<Value, Histogram> seen, Calibrator calibrator) {
  const auto root = [&](Value value) {
    for (auto found = sites.shared.find(value); found != sites.shared.end(); found = sites.shared.find(value))
      value = found->second;
    return value;
  };
  for (const Value value : sites.values)
    if (root(value) != value) seen[root(value)].add(seen[value]);
  std::map<Value, Scale> scales;
  for (const Value value : sites.values) {
    const Value first = root(value);
    if (!scales.contains(first)) scales[first] = scale_of(choose_range(seen[first], calibrator));
    scales[value] = scales[first];
  }
  return scales;
}

// Weights in [-127, 127] by output channel. A scale is also large enough for its channel's bias in 32 bits.
struct IntegerWeights {
  Tensor integers, scales;
};
IntegerWeights integer_weights(const Tensor& weights, int64_t axis, const Tensor* bias, float x_scale) {
  const Shape& shape = weights.shape();
  const int64_t channels = shape.size(static_cast<int>(axis));
  int64_t inner = 1;
  for (int i = static_cast<int>(axis) + 1; i < shape.rank(); ++i) inner *= shape.size(i);
  const auto channel = [&](size_t i) {
    return static_cast<size_t>(static_cast<int64_t>(i) / inner % channels);
  };
  const auto values = weights.values<float>();
  std::vector<float> scales(static_cast<size_t>(channels));
  for (size_t i = 0; i < values.size(); ++i)
    scales[channel(i)] = std::max(scales[channel(i)], std::abs(values[i]) / 127);
  for (size_t c = 0; c < scales.size(); ++c) {
    if (bias) scales[c] = std::max(scales[c], std::abs(bias->values<float>()[c]) / x_scale / 0x1p30f);
    if (scales[c] == 0) scales[c] = 1;
  }
  IntegerWeights result{Tensor(Type{DType::i8, shape}), Tensor::from<float>({channels}, scales)};
  const auto integers = result.integers.mutable_values<int8_t>();
  for (size_t i = 0; i < values.size(); ++i)
    integers[i] =
        static_cast<int8_t>(std::clamp(std::nearbyint(values[i] / scales[channel(i)]), -127.0f, 127.0f));
  return result;
}

class Quantizing {
 public:
  Quantizing(const Model& model, const Sites& sites, const std::map<Value, Scale>& scales)
      : model_(model), sites_(sites), scales_(scales) {
    for (int i = 0; i < model.graph.size(); ++i) number_[&model.graph.nodes()[static_cast<size_t>(i)]] = i;
  }

  Graph run() {
    return rewrite(model_.graph, [&](Builder& b, const NodeView& view) { return replace(b, view); }, false);
  }

 private:
  std::optional<std::vector<Value>> replace(Builder& b, const NodeView& view) {
    if (view.node.op == &input_op || view.node.op == &constant_op) return std::nullopt;
    std::vector<Value> inputs(view.inputs.begin(), view.inputs.end());
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto found = scales_.find(view.node.inputs[i]);
      if (found != scales_.end()) inputs[i] = through_integers(b, inputs[i], found->second);
    }
    const int number = number_.at(&view.node);
    if (const auto site = sites_.contractions.find(number); site != sites_.contractions.end()) {
      inputs[1] = weights(b, site->second);
      if (inputs.size() > 2 && inputs[2]) inputs[2] = bias(b, site->second);
    }
    if (const auto spread = sites_.biases.find(number); spread != sites_.biases.end())
      inputs[0] = bias(b, sites_.contractions.at(spread->second));
    return b.emit_all(*view.node.op, std::move(inputs), view.attributes(), view.node.name, view.node.regions);
  }

  static Value through_integers(Builder& b, Value value, const Scale& scale) {
    const Value by = b.constant(Tensor::scalar(scale.scale)), zero = b.constant(Tensor::scalar(scale.zero));
    return ops::dequantize(b, ops::quantize(b, value, by, zero, {.dtype = DType::u8}), by, zero);
  }

  IntegerWeights weights_of(const Site& site) const {
    return integer_weights(*fixed_tensor(model_, site.weights), site.channel_axis,
                           site.bias ? fixed_tensor(model_, site.bias) : nullptr, scales_.at(site.x).scale);
  }

  Value weights(Builder& b, const Site& site) const {
    const IntegerWeights made = weights_of(site);
    return ops::dequantize(b, b.constant(made.integers), b.constant(made.scales), {}, site.channel_axis);
  }

  // In 32 bits, of the scale that the sums have.
  Value bias(Builder& b, const Site& site) const {
    const Tensor& given = *fixed_tensor(model_, site.bias);
    Tensor scales = weights_of(site).scales.clone(), integers(Type{DType::i32, given.shape()});
    const auto own = scales.mutable_values<float>();
    for (size_t c = 0; c < own.size(); ++c) {
      own[c] *= scales_.at(site.x).scale;
      integers.mutable_values<int32_t>()[c] = static_cast<int32_t>(
          std::nearbyint(static_cast<double>(given.values<float>()[c]) / static_cast<double>(own[c])));
    }
    return ops::dequantize(b, b.constant(integers), b.constant(scales), {}, 0);
  }

  const Model& model_;
  const Sites& sites_;
  const std::map<Value, Scale>& scales_;
  std::map<const Node*, int> number_;
};

// Parameters that nothing reads any more go.
void drop_unread(Model& model) {
  std::set<Value> read;
  for (const Node& node : model.graph.nodes()) read.insert(node.inputs.begin(), node.inputs.end());
  for (const Port& output : model.graph.outputs) read.insert(output.value);
  std::erase_if(model.graph.inputs, [&](const Port& port) {
    return model.parameters.contains(port.name) && !read.contains(port.value);
  });
  std::erase_if(model.parameters, [&](const auto& entry) { return !model.graph.find_input(entry.first); });
  model.graph = merge_common(model.graph);  // without their nodes
}

}  // namespace

Model quantize(Device& device, const Model& model, std::span<const Tensor> batches,
               const QuantizeOptions& options) {
  TEMPER_CHECK(!batches.empty(), "no samples to take ranges from");
  const Sites sites = find_sites(model);
  if (sites.contractions.empty())
    throw Error(ErrorKind::unsupported,
                "int8: the model has no convolution of pictures and no matrix product with fixed weights");
  const std::map<Value, Scale> scales =
      scales_of(sites, observe(device, model, sites.values, batches, options.compile), options.calibrator);
  Model result = model;
  result.graph = eliminate_dead(Quantizing(model, sites, scales).run());
  drop_unread(result);
  return result;
}

bool is_quantized(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(), [](const Node& node) { return node.op->name == "dequantize"; });
}

}  // namespace temper
