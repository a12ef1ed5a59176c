#include "train/frozen.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "base/text.h"
#include "ir/op.h"
#include "ir/text.h"
#include "ops/composites.h"
#include "passes/passes.h"
#include "runtime/compile.h"
#include "train/session.h"
#include "train/step.h"

namespace temper {
namespace {

// Whether a value is, through moves and reshapes, a parameter for which `trains` holds.
bool reads_trainable(const Graph& graph, Value value, const std::set<std::string>& trainable) {
  if (!value) return false;
  for (const Port& port : graph.inputs) {
    if (port.value == value) return trainable.contains(port.name);
  }
  return std::ranges::any_of(graph.node(value).inputs,
                             [&](Value input) { return reads_trainable(graph, input, trainable); });
}

bool may_fold(const Graph& graph, const Node& norm, const std::set<std::string>& trainable) {
  const Node& convolution = graph.node(norm.inputs[0]);
  for (size_t i = 1; i < norm.inputs.size(); ++i) {
    if (reads_trainable(graph, norm.inputs[i], trainable)) return false;
  }
  for (size_t i = 1; i < convolution.inputs.size(); ++i) {
    if (reads_trainable(graph, convolution.inputs[i], trainable)) return false;
  }
  return true;
}

void keep_read_parameters(Model& model, const Model& from) {
  for (const Port& port : model.graph.inputs) {
    const auto found = from.parameters.find(port.name);
    if (found != from.parameters.end()) model.parameters.insert(*found);
  }
}

// Dropout is nothing in inference but the frozen part ends there: the two forms, for the split to see.
Graph with_dropout(const Graph& graph, bool random) {
  Value key;
  return rewrite(
      graph,
      [&](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
        if (random && view.node.op->name == "dropout_infer") {
          if (!key) key = b.input("dropout.key", {DType::u32, {2}});
          return std::vector{ops::dropout(b, view.inputs[0], key, view.attributes().get<double>("rate"), 0)};
        }
        if (!random && view.node.op->name == "dropout") {
          return std::vector{ops::dropout_infer(b, view.inputs[0], view.attributes().get<double>("rate"))};
        }
        return std::nullopt;
      },
      false);
}

bool rows_are_samples(const Graph& prefix, const Dim& batch) {
  return std::ranges::all_of(prefix.outputs, [&](const Port& port) {
    const Shape& shape = prefix.type(port.value).shape;
    if (shape.rank() == 0 || shape[0].symbol_name() != batch.symbol_name()) return false;
    if (batch.is_static() || shape[0].factor() % batch.factor() != 0) return false;
    return std::all_of(shape.begin() + 1, shape.end(), [](const Dim& dim) { return dim.is_static(); });
  });
}

void erase_input(Graph& graph, std::string_view name) {
  std::erase_if(graph.inputs, [&](const Port& port) { return port.name == name; });
}

}  // namespace

Model fold_frozen(Device& device, const Model& model, const std::set<std::string>& trainable,
                  const CompileOptions& options, DType precision) {
  Model result = model;
  Graph graph = fold_batch_norms(
      model.graph, [&](const Graph& graph, const Node& norm) { return may_fold(graph, norm, trainable); });
  if (precision == DType::bf16) graph = lower_precision(graph);
  Split split = split_frozen(graph, [&](const std::string& name) {
    return !model.parameters.contains(name) || trainable.contains(name);
  });
  result.parameters.clear();
  if (split.features.empty()) {
    result.graph = graph;
  } else {
    std::vector<Tensor> arguments;
    for (const Port& port : split.prefix.inputs) arguments.push_back(model.parameters.at(port.name));
    const std::vector<Tensor> values = run_once(device, split.prefix, std::move(arguments), options);
    for (size_t i = 0; i < values.size(); ++i) {
      const std::string name = concat("frozen.", i);
      split.suffix.inputs[i].name = name;
      result.parameters[name] = values[i];
    }
    result.graph = std::move(split.suffix);
  }
  keep_read_parameters(result, model);
  std::map<std::string, Tensor> fixed = result.parameters;
  std::erase_if(fixed, [&](const auto& entry) { return trainable.contains(entry.first); });
  result.graph = bind_quantised(result.graph, fixed);
  std::erase_if(result.parameters, [&](const auto& entry) { return !result.graph.find_input(entry.first); });
  return result;
}

ModelParts split_model(const Model& folded, const std::set<std::string>& trainable) {
  ModelParts whole{std::nullopt, folded};
  const std::vector<int> data = data_inputs(folded);
  if (data.size() != 1) return whole;
  const Port& input = folded.graph.inputs[static_cast<size_t>(data.front())];
  const Shape& shape = folded.graph.type(input.value).shape;
  if (shape.rank() == 0) return whole;

  const Split split = split_frozen(with_dropout(folded.graph, true), [&](const std::string& name) {
    return trainable.contains(name) || name == "dropout.key";
  });
  const bool worth = std::ranges::any_of(
      split.prefix.inputs, [&](const Port& port) { return folded.parameters.contains(port.name); });
  if (!worth || split.suffix.find_input(input.name) || !rows_are_samples(split.prefix, shape[0]))
    return whole;

  ModelParts parts;
  parts.prefix = Model{.graph = split.prefix, .preprocess = folded.preprocess, .name = folded.name};
  parts.rest = folded;
  parts.rest.parameters.clear();
  parts.rest.graph = eliminate_dead(with_dropout(split.suffix, false));
  erase_input(parts.rest.graph, "dropout.key");
  keep_read_parameters(*parts.prefix, folded);
  keep_read_parameters(parts.rest, folded);
  return parts;
}

struct FrozenPrefix::Loaded {
  DeviceState state;
  int64_t batch;
  std::unique_ptr<BoundProgram> program = nullptr;
  std::string input = {};
  std::vector<std::string> names = {};
  std::vector<Type> types = {};
  Tensor staging = {};
};

FrozenPrefix::FrozenPrefix(Device& device, const Model& prefix, int64_t batch,
                           const CompileOptions& options) {
  const int64_t replicas = device.replicas(), part = (batch + replicas - 1) / replicas;
  loaded_ = std::make_unique<Loaded>(Loaded{DeviceState(device), part * replicas});
  for (const auto& [name, tensor] : prefix.parameters) loaded_->state.set(name, tensor);
  const Graph graph = specialise_in_parts(prefix.graph, batch_sizes(prefix, part));
  for (const Port& port : graph.outputs) {
    Type type = graph.type(port.value);
    type.shape[0] = type.shape.size(0) / part;
    loaded_->names.push_back(port.name);
    loaded_->types.push_back(type);
  }
  loaded_->input = graph.inputs[static_cast<size_t>(data_inputs(prefix).front())].name;
  CompileOptions alone = options;
  alone.sole_reader = true;
  alone.replicas = static_cast<int>(replicas);
  if (replicas > 1) {
    alone.shared = loaded_->names;
    alone.shared.push_back(loaded_->input);
  }
  loaded_->program = std::make_unique<BoundProgram>(loaded_->state, graph, alone);
  loaded_->staging = Tensor(loaded_->program->input(loaded_->input).type());
}

FrozenPrefix::~FrozenPrefix() = default;

Device& FrozenPrefix::device() const { return loaded_->state.device(); }
const Type& FrozenPrefix::batch_type() const { return loaded_->staging.type(); }

const std::vector<Type>& FrozenPrefix::feature_types() const { return loaded_->types; }
std::vector<std::string> FrozenPrefix::feature_names() const { return loaded_->names; }

void FrozenPrefix::compute(const Tensor& inputs, std::vector<Tensor>& features, int64_t first) {
  Loaded& l = *loaded_;
  const int64_t count = inputs.shape().size(0), row = l.staging.bytes() / l.batch;
  TEMPER_CHECK(inputs.bytes() == row * count, "samples of ", to_string(inputs.type()), ", wanted ",
               to_string(l.staging.type()));
  for (int64_t at = 0; at < count; at += l.batch) {
    const int64_t here = std::min(l.batch, count - at);
    std::byte* staged = l.staging.mutable_data();
    std::memcpy(staged, inputs.data() + at * row, static_cast<size_t>(here * row));
    std::memset(staged + here * row, 0, static_cast<size_t>((l.batch - here) * row));
    l.program->fill(l.input, l.staging);
    l.program->run();
    for (size_t f = 0; f < l.names.size(); ++f) {
      const Tensor result = download(l.state.device(), l.program->output(l.names[f]));
      const int64_t bytes = byte_size(l.types[f]);
      std::memcpy(features[f].mutable_data() + (first + at) * bytes, result.data(),
                  static_cast<size_t>(here * bytes));
    }
  }
}

static void add_constants(Hasher& hasher, const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    for (const Graph& region : node.regions) add_constants(hasher, region);
    if (node.op != &constant_op) continue;
    const Tensor& tensor = node.attributes.get<Tensor>("value");
    hasher.add(std::span(tensor.data(), static_cast<size_t>(tensor.bytes())));
  }
}

uint64_t fingerprint(const Model& model) {
  Hasher hasher;
  hasher.add(print(model.graph, {.elide_constants_over = 0}));
  add_constants(hasher, model.graph);
  for (const auto& [name, tensor] : model.parameters) {
    hasher.add(name).add(to_string(tensor.type()));
    hasher.add(std::span(tensor.data(), static_cast<size_t>(tensor.bytes())));
  }
  return hasher.digest();
}

}  // namespace temper
