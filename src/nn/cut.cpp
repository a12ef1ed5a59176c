// Where a new head goes: find_cut, default_cut and replace_last_dense of nn/head.h.
#include <algorithm>

#include "base/text.h"
#include "ir/op.h"
#include "nn/head.h"

namespace temper::nn {
namespace {

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string name_of(const Graph& graph, Value value) {
  const std::string& name = graph.node(value).name;
  return name.empty() ? graph.describe(value.node) : name;
}

// For each node whether the model's first output needs it.
std::vector<char> needed_nodes(const Model& model) {
  const Graph& graph = model.graph;
  TEMPER_CHECK(!graph.outputs.empty(), "a model without outputs");
  std::vector<char> needed(static_cast<size_t>(graph.size()), 0);
  needed[static_cast<size_t>(graph.outputs.front().value.node)] = 1;
  for (size_t i = needed.size(); i-- > 0;) {
    if (!needed[i]) continue;
    for (Value input : graph.nodes()[i].inputs) {
      if (input) needed[static_cast<size_t>(input.node)] = 1;
    }
  }
  return needed;
}

// For each node whether some data input reaches it.
std::vector<char> data_nodes(const Model& model) {
  const Graph& graph = model.graph;
  std::vector<char> data(static_cast<size_t>(graph.size()), 0);
  for (int i : data_inputs(model))
    data[static_cast<size_t>(graph.inputs[static_cast<size_t>(i)].value.node)] = 1;
  for (size_t i = 0; i < data.size(); ++i) {
    for (Value input : graph.nodes()[i].inputs) data[i] |= input && data[static_cast<size_t>(input.node)];
  }
  return data;
}

bool is_picture(const Shape& shape) {
  if (shape.rank() != 4) return false;
  const bool one = shape[2] == Dim(1) && shape[3] == Dim(1);
  return !one;
}

// The last value that is a map [n, c, height, width]: the result of an op on pictures, or computed from one
// element by element. A transpose ends it: from there the channels are elsewhere.
Value last_spatial_map(const Model& model) {
  const Graph& graph = model.graph;
  const std::vector<char> needed = needed_nodes(model);
  std::vector<char> is_map(needed.size(), 0);
  Value last;
  for (size_t i = 0; i < needed.size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (node.outputs.empty() || !is_picture(node.outputs[0].shape)) continue;
    const auto from_map = [&](Value input) {
      return input && is_map[static_cast<size_t>(input.node)] &&
             graph.type(input).shape == node.outputs[0].shape;
    };
    const bool picture_op =
        is_one_of(node.op->name, {"conv2d", "max_pool", "avg_pool", "batch_norm_infer", "resize"});
    const bool moves = is_one_of(node.op->name, {"transpose", "reshape", "broadcast_in_dim", "reverse"});
    const bool joins = node.op->name == "concat" && node.attributes.get<int64_t>("axis") == 1 &&
                       !node.inputs.empty() && is_map[static_cast<size_t>(node.inputs[0].node)];
    is_map[i] = picture_op || joins || (!moves && std::ranges::any_of(node.inputs, from_map));
    if (is_map[i] && needed[i]) last = {static_cast<int32_t>(i), 0};
  }
  return last;
}

// The data that the last layer with weights reads: a matrix product or a convolution on the way to the
// output.
Value last_dense_input(const Model& model) {
  const Graph& graph = model.graph;
  const std::vector<char> needed = needed_nodes(model), data = data_nodes(model);
  for (int i = graph.size() - 1; i >= 0; --i) {
    const Node& node = graph.nodes()[static_cast<size_t>(i)];
    if (!needed[static_cast<size_t>(i)] || !is_one_of(node.op->name, {"dot_general", "conv2d"})) continue;
    const bool first = data[static_cast<size_t>(node.inputs[0].node)],
               second = data[static_cast<size_t>(node.inputs[1].node)];
    if (first != second) return node.inputs[first ? 0 : 1];
  }
  return {};
}

}  // namespace

Cut find_cut(const Model& model, std::string_view name) {
  const Graph& graph = model.graph;
  if (const Value value = graph.find_output(name)) return {value, std::string(name)};
  std::vector<std::string> names;
  for (int i : data_inputs(model)) {
    const Port& port = graph.inputs[static_cast<size_t>(i)];
    if (port.name == name) return {port.value, port.name};
  }
  const std::vector<char> data = data_nodes(model);
  for (int i = graph.size() - 1; i >= 0;
       --i) {  // of the nodes that share a name the last gives the layer's result
    const Node& node = graph.nodes()[static_cast<size_t>(i)];
    if (!data[static_cast<size_t>(i)] || node.name.empty() || node.op == &input_op) continue;
    if (node.name == name) return {{i, 0}, node.name};
    names.push_back(node.name);
  }
  const std::string near = closest(name, names);
  throw Error(ErrorKind::invalid, concat("cut: the model has no value named ", name,
                                         near.empty() ? std::string("; `temper inspect` lists them")
                                                      : concat("; did you mean ", near, "?")));
}

Cut default_cut(const Model& model) {
  Value value = last_spatial_map(model);
  if (!value) value = last_dense_input(model);
  if (!value) {
    throw Error(
        ErrorKind::invalid,
        "head: the model has no spatial map and no dense layer to attach it to; name a value with --cut");
  }
  return {value, name_of(model.graph, value)};
}

NewHead replace_last_dense(Model& model, int64_t classes, uint64_t seed) {
  const Value value = last_dense_input(model);
  if (!value)
    throw Error(ErrorKind::invalid, "the model has no dense layer to replace; give --head and --cut");
  const Shape& shape = model.graph.type(value).shape;
  const Cut cut{value, name_of(model.graph, value)};
  if (shape.rank() == 4) return attach_head(model, cut, parse_head("gap,dense"), classes, seed);
  if (shape.rank() == 2) return attach_head(model, cut, parse_head("dense"), classes, seed);
  throw Error(ErrorKind::invalid, concat("the last dense layer reads ", to_string(shape),
                                         ", not one vector a sample; give --head and --cut"));
}

}  // namespace temper::nn
