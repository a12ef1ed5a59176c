// Whether a graph treats the samples of a batch alone.

#include <algorithm>
#include <map>

#include "base/text.h"
#include "ir/op.h"
#include "passes/passes.h"

namespace temper {

namespace {

// What a rule sees: the axis that counts samples in each input and in the first output, -1 where there is
// none.
struct View {
  const Graph& graph;
  const Node& node;
  std::vector<int> in;
  int out;

  const Shape& shape(size_t i) const { return graph.type(node.inputs[i]).shape; }
  const Ints& ints(std::string_view name) const { return node.attributes.get<Ints>(name); }
  bool names(std::string_view attribute, int axis) const {
    const Ints& axes = ints(attribute);
    return std::find(axes.begin(), axes.end(), axis) != axes.end();
  }
  int64_t at(std::string_view attribute, int axis) const {
    return ints(attribute)[static_cast<size_t>(axis)];
  }
  int64_t integer(std::string_view name) const { return node.attributes.get<int64_t>(name); }
};

using Rule = bool (*)(const View&);  // true: samples stay alone

bool always(const View&) { return true; }

// Samples stay the outermost factor, with as much before them as there was.
bool keeps_order(const View& v) {
  const auto before = [](const Shape& shape, int axis) {
    int64_t product = 1;
    for (int i = 0; i < axis; ++i) product *= shape[i].is_static() ? shape[i].size() : -1;
    return product;
  };
  return v.out >= 0 && before(v.shape(0), v.in[0]) == before(v.node.outputs[0].shape, v.out);
}
bool not_along_axes(const View& v) { return !v.names("axes", v.in[0]); }
bool not_along_axis(const View& v) { return v.integer("axis") != v.in[0]; }
bool normalises_inside(const View& v) { return v.integer("axis") > v.in[0]; }
bool joins_elsewhere(const View& v) { return v.integer("axis") != v.out; }
bool whole_slice(const View& v) {
  return v.at("starts", v.in[0]) == 0 && v.at("strides", v.in[0]) == 1 &&
         v.node.outputs[0].shape[v.out] == v.shape(0)[v.in[0]];
}
bool pads_elsewhere(const View& v) {
  return v.in[1] < 0 && v.at("low", v.in[0]) == 0 && v.at("high", v.in[0]) == 0 &&
         v.at("interior", v.in[0]) == 0;
}
bool single_windows(const View& v) {
  return v.at("window", v.in[0]) == 1 && v.at("strides", v.in[0]) == 1 && v.at("low", v.in[0]) == 0 &&
         v.at("high", v.in[0]) == 0;
}
bool contracts_elsewhere(const View& v) {
  return (v.in[0] < 0 || !v.names("x_contract", v.in[0])) && (v.in[1] < 0 || !v.names("y_contract", v.in[1]));
}
bool batch_first(const View& v) {
  for (size_t i = 1; i < v.in.size(); ++i)
    if (v.in[i] >= 0) return false;
  return v.in[0] == 0;
}
bool rows(const View& v) {
  return std::all_of(v.in.begin(), v.in.end(), [](int axis) { return axis <= 0; });
}
bool gathers_whole(const View& v) {
  if (v.in[0] < 0) return true;
  return v.in[1] < 0 && v.at("slice_sizes", v.in[0]) == -1 && !v.names("start_index_map", v.in[0]);
}
bool keeps_size(const View& v) { return v.at("sizes", v.in[0]) == -1; }
bool table_alone(const View& v) { return v.in[0] < 0; }

const std::map<std::string_view, Rule> kRules{
    {"reshape", keeps_order},
    {"transpose", always},
    {"broadcast_in_dim", always},
    {"select", always},
    {"compare", always},
    {"convert", always},
    {"bitcast", always},
    {"reduce", not_along_axes},
    {"arg_reduce", not_along_axis},
    {"softmax", not_along_axis},
    {"log_softmax", not_along_axis},
    {"sort", not_along_axis},
    {"layer_norm", normalises_inside},
    {"rms_norm", normalises_inside},
    {"concat", joins_elsewhere},
    {"slice", whole_slice},
    {"pad", pads_elsewhere},
    {"reverse", not_along_axes},
    {"reduce_window", single_windows},
    {"dot_general", contracts_elsewhere},
    {"conv_general", batch_first},
    {"conv2d", batch_first},
    {"conv_input_grad", batch_first},
    {"max_pool", batch_first},
    {"avg_pool", batch_first},
    {"batch_norm_infer", batch_first},
    {"gather", gathers_whole},
    {"embedding", table_alone},
    {"resize", keeps_size},
    {"cross_entropy", rows},
    {"gelu", always},
    {"erf", always},
    {"dropout_infer", always},
    {"quantize", always},
    {"dequantize", always},
};

// Rules for ops whose operands and result have one shape are `always`; the rest must be in the table.
bool is_map(const Node& node, const Graph& graph) {
  if (!node.op->primitive || node.outputs.size() != 1 || node.inputs.empty() || !node.regions.empty())
    return false;
  for (const Value input : node.inputs)
    if (!input || graph.type(input).shape != node.outputs[0].shape) return false;
  return node.op->name != "all_reduce" && node.op->name != "reverse" && node.op->name != "sort" &&
         node.op->name != "slice" && node.op->name != "pad" && node.op->name != "reduce_window" &&
         node.op->name != "reshape" && node.op->name != "transpose" && node.op->name != "scatter" &&
         node.op->name != "gather" && node.op->name != "dot_general" && node.op->name != "conv_general";
}

// The one axis that the symbol counts; -2 if there are several.
int axis_of(const Shape& shape, std::string_view symbol) {
  int found = -1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i].symbol_name() != symbol) continue;
    if (found >= 0) return -2;
    found = i;
  }
  return found;
}

bool stays_alone(const Graph& graph, const Node& node, std::string_view symbol) {
  View view{graph, node, {}, axis_of(node.outputs[0].shape, symbol)};
  bool any = false;
  for (const Value input : node.inputs) {
    view.in.push_back(input ? axis_of(graph.type(input).shape, symbol) : -1);
    if (view.in.back() == -2) return false;
    any = any || view.in.back() >= 0;
  }
  if (view.out == -2) return false;
  if (node.op == &input_op || node.op == &constant_op) return true;
  if (!any)
    return node.op->name != "iota" || view.out < 0 || node.attributes.get<int64_t>("axis") != view.out;
  if (is_map(node, graph)) return true;
  const auto rule = kRules.find(node.op->name);
  const bool one_operand =
      rule != kRules.end() &&
      (rule->second == keeps_order || rule->second == not_along_axes || rule->second == not_along_axis);
  if (one_operand && view.in[0] < 0) return true;
  return rule != kRules.end() && rule->second(view);
}

}  // namespace

std::string mixes_samples(const Graph& graph, std::string_view symbol) {
  std::vector<bool> live(static_cast<size_t>(graph.size()));
  for (const Port& port : graph.outputs) live[static_cast<size_t>(port.value.node)] = true;
  for (size_t i = live.size(); i-- > 0;) {
    if (!live[i]) continue;
    for (const Value input : graph.nodes()[i].inputs)
      if (input) live[static_cast<size_t>(input.node)] = true;
  }
  for (int i = 0; i < graph.size(); ++i) {
    if (live[static_cast<size_t>(i)] && !stays_alone(graph, graph.nodes()[static_cast<size_t>(i)], symbol))
      return concat(graph.describe(i), " lets samples of a batch reach one another");
  }
  for (const Port& port : graph.outputs) {
    if (axis_of(graph.type(port.value).shape, symbol) != 0)
      return concat("output ", port.name, " ", to_string(graph.type(port.value)),
                    " has no batch as its first axis");
  }
  return {};
}

}  // namespace temper
