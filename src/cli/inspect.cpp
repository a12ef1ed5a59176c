#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "cli/command.h"
#include "ir/op.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "report/table.h"
#include "target/cost.h"
#include "temper/error.h"
#include "train/auto_device.h"
#include "train/bench_step.h"
#include "train/inference_model.h"
#include "train/machine.h"
#include "train/open_model.h"
#include "train/programs.h"

namespace temper::cli {
namespace {

int64_t parameter_elements(const Model& model, const Node& node) {
  int64_t total = 0;
  for (Value input : node.inputs) {
    if (!input || model.graph.node(input).op != &input_op) continue;
    const auto found = model.parameters.find(model.graph.node(input).name);
    if (found != model.parameters.end()) total += found->second.elements();
  }
  return total;
}

std::vector<std::string> parameter_names(const Model& model, const Node& node) {
  std::vector<std::string> names;
  for (Value input : node.inputs) {
    if (!input || model.graph.node(input).op != &input_op) continue;
    if (model.parameters.contains(model.graph.node(input).name))
      names.push_back(model.graph.node(input).name);
  }
  return names;
}

Json describe_ports(const Graph& graph, const std::vector<Port>& ports) {
  Json list = Json::array();
  for (const Port& port : ports) {
    Json entry;
    entry["name"] = port.name;
    entry["dtype"] = to_string(graph.type(port.value).dtype);
    for (const Dim& dim : graph.type(port.value).shape)
      entry["shape"].push_back(dim.is_static() ? Json(dim.size()) : Json(to_string(dim)));
    if (graph.type(port.value).shape.rank() == 0) entry["shape"] = Json::array();
    list.push_back(entry);
  }
  return list;
}

std::vector<Port> data_ports(const Model& model) {
  std::vector<Port> ports;
  for (int at : data_inputs(model)) ports.push_back(model.graph.inputs[static_cast<size_t>(at)]);
  return ports;
}

// What stands in the file as one node: nodes that follow each other and have one name.
struct Layer {
  std::string name, output;
  std::vector<std::string> ops, parameter_names;
  int64_t parameters = 0, flops = 0;
};

std::vector<Layer> layers_of(const Model& model, const Graph& costed) {
  std::vector<Layer> layers;
  std::vector<int64_t> costs;  // specialising puts inputs first and keeps the order of the rest
  for (const Node& node : costed.nodes())
    if (node.op != &input_op) costs.push_back(flops(costed, node));
  auto cost = costs.begin();
  std::vector<bool> constant(static_cast<size_t>(model.graph.size()));
  for (int i = 0; i < model.graph.size(); ++i) {
    const auto at = static_cast<size_t>(i);
    const Node& node = model.graph.nodes()[at];
    const auto is_constant = [&](Value v) { return !v || constant[static_cast<size_t>(v.node)]; };
    if (node.op == &input_op) continue;
    const int64_t own_cost = *cost++;
    constant[at] = node.op == &constant_op || std::ranges::all_of(node.inputs, is_constant);
    if (constant[at]) continue;
    if (layers.empty() || layers.back().name != node.name) layers.push_back({.name = node.name});
    Layer& layer = layers.back();
    layer.output = to_string(node.outputs.front());
    layer.ops.emplace_back(node.op->name);
    layer.parameters += parameter_elements(model, node);
    for (std::string& name : parameter_names(model, node)) layer.parameter_names.push_back(std::move(name));
    layer.flops += own_cost;
  }
  return layers;
}

Json describe_layers(const Model& model, const Graph& costed) {
  Json list = Json::array();
  for (const Layer& layer : layers_of(model, costed)) {
    Json entry;
    entry["name"] = layer.name;
    entry["op"] = join(layer.ops, " ");
    entry["output"] = layer.output;
    entry["parameters"] = layer.parameters;
    entry["parameter_names"] = layer.parameter_names;
    entry["flops"] = layer.flops;
    list.push_back(entry);
  }
  return list;
}

Json describe(const Model& model, int64_t sequence) {
  const Graph costed = specialise(model.graph, data_sizes(model.graph, data_ports(model), 1, sequence));
  int64_t elements = 0, bytes = 0;
  for (const auto& [name, tensor] : model.parameters) elements += tensor.elements(), bytes += tensor.bytes();
  Json result = result_head("inspect");
  result["name"] = model.name;
  result["inputs"] = describe_ports(model.graph, data_ports(model));
  result["outputs"] = describe_ports(model.graph, model.graph.outputs);
  result["parameters"]["total"] = elements;
  result["parameters"]["bytes"] = bytes;
  result["flops"] = flops(costed);
  result["preprocess"] = model.preprocess ? Json(to_string(*model.preprocess)) : Json();
  result["labels"] = model.labels;
  result["layers"] = costed.size() == model.graph.size() ? describe_layers(model, costed) : Json::array();
  return result;
}

std::string ports_text(const Json& ports) {
  std::string text;
  for (const Json& port : ports.items()) {
    std::vector<std::string> sizes;
    for (const Json& size : port.at("shape").items())
      sizes.push_back(size.is_string() ? size.text() : size.dump());
    text +=
        concat("  ", port.at("name").text(), "  ", port.at("dtype").text(), "[", join(sizes, ", "), "]\n");
  }
  return text;
}

void print_description(const Json& result) {
  TextTable table({"layer", "op", "output", "parameters", "MFLOP", "parameter names"});
  for (const Json& layer : result.at("layers").items()) {
    std::vector<std::string> names;
    for (const Json& name : layer.at("parameter_names").items()) names.push_back(name.text());
    table.row({layer.at("name").text(), layer.at("op").text(), layer.at("output").text(),
               count_text(layer.at("parameters").integer()), short_number(layer.at("flops").number() * 1e-6),
               join(names, " ")});
  }
  std::string text = table.text();
  text +=
      concat("\ninputs\n", ports_text(result.at("inputs")), "outputs\n", ports_text(result.at("outputs")));
  text += concat("parameters  ", count_text(result.at("parameters").at("total").integer()), " in ",
                 byte_text(result.at("parameters").at("bytes").integer()), "\n");
  text += concat("cost        ", short_number(result.at("flops").number() * 1e-6), " MFLOP a sample\n");
  const size_t labels = result.at("labels").items().size();
  text += concat("labels      ", labels ? concat(labels) : "none in the file", "\n");
  text += concat("preprocess  ",
                 result.at("preprocess").is_null() ? "the file says nothing" : result.at("preprocess").text(),
                 "\n");
  std::fputs(text.c_str(), stdout);
}

}  // namespace

int inspect(const std::vector<std::string>& words) {
  Arguments arguments("inspect",
                      "Inputs, layers, parameters and cost of a model; its plan for a device; its graph.",
                      "temper inspect mobilenet.onnx --plan --device cpu", words);
  ModelOptions options;
  Common common;
  std::string code;
  bool show_plan = false, show_graph = false, training = false;
  BenchStep step{.batch = 1};
  options.declare(arguments);
  arguments.flag("plan", show_plan, "the fate of every node on the device, and why");
  arguments.option("code", code, "FILE",
                   "with --plan: writes down what the device's own compiler is given, such as StableHLO");
  arguments.flag("graph", show_graph, "the text form of the graph");
  arguments.flag("train", training, "of the training step instead of the model");
  arguments.option("batch", step.batch, "N", "samples a run, for --plan and --train");
  arguments.option("sequence", step.sequence, "N",
                   "tokens a sample, where the model leaves their number free");
  common.declare(arguments);
  if (!arguments.parse()) return 0;

  TerminalEvents events(common);
  const Model model = open_model({options.model, options.weights, options.shape, options.preprocess,
                                  options.labels, static_cast<uint64_t>(options.seed)},
                                 events);
  events.clear();
  Graph graph = model.graph;
  step.precision = choose_precision("precision", options.precision, "inspect", training);
  if (training)
    graph = bench_step_graph(model, step);
  else if (step.precision == DType::i8)
    graph = inference_model(choose_device(known_device(options.device, options.model)), model, step.precision,
                            options.calibrate, static_cast<uint64_t>(options.seed), {})
                .graph;
  else if (step.precision == DType::bf16)
    graph = lower_precision(graph);
  if (show_graph) {
    std::fputs(print(graph, {.elide_constants_over = 64}).c_str(), stdout);
    return 0;
  }
  Json result = describe(model, step.sequence);
  if (show_plan) {
    Device& device = choose_device(known_device(options.device, options.model));
    const auto at_batch = [&](int64_t batch) {
      BenchStep other = step;
      other.batch = batch;
      other.replicas = replicas_for(device, batch);
      return training ? bench_step_graph(model, other)
                      : specialise(graph, data_sizes(graph, graph.inputs, batch, step.sequence));
    };
    const int64_t replicas = training ? replicas_for(device, step.batch) : 1;
    const std::string text = describe_plan(device, options, {step.batch, at_batch, replicas, code}, result);
    if (!common.json) std::fputs(text.c_str(), stdout);
  } else if (!common.json) {
    print_description(result);
  }
  return finish(common, result);
}

}  // namespace temper::cli
