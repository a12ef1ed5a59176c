// What XLA takes, and how a graph becomes a Program: its code is StableHLO text.
#include <algorithm>

#include "base/check.h"
#include "devices/pjrt/pjrt.h"
#include "devices/pjrt/stablehlo.h"
#include "devices/pjrt/tensors.h"
#include "ir/op.h"

namespace temper::pjrt {

namespace {

// XLA fuses by itself: of composites it sees what they are made of.
Claim claim(const TargetFacts&, const Graph& graph, const Node& node) {
  if (!node.op->primitive) return {Claim::decompose, "XLA fuses what it is made of"};
  const std::string why = why_not(graph, node);
  return why.empty() ? Claim{Claim::kernel, "XLA"} : Claim{Claim::refuse, why};
}

Argument argument(const Graph& graph, const Port& port, const CompileOptions& options) {
  Argument argument{port.name, graph.type(port.value), options.replicas == 1 ? kFirst : kEach};
  if (options.replicas == 1 || std::ranges::count(options.shared, port.name) == 0) return argument;
  argument.layout = kShared;
  argument.type.shape[0] = argument.type.shape.size(0) * options.replicas;
  return argument;
}

Program compile(const TargetFacts&, const Graph& graph, const CompileOptions& options) {
  Program program{.target = "pjrt", .graph = graph, .donations = graph.donations, .options = options};
  for (const Port& input : graph.inputs) {
    program.inputs.push_back(argument(graph, input, options));
    program.memory.arguments += byte_size(graph.type(input.value));
  }
  for (const Port& output : graph.outputs) {
    program.outputs.push_back(argument(graph, output, options));
    program.memory.outputs += byte_size(graph.type(output.value));
  }
  for (const Donation& donation : graph.donations)
    program.memory.donated +=
        byte_size(graph.type(graph.outputs[static_cast<size_t>(donation.output)].value));
  program.memory.outputs -= program.memory.donated;
  program.code = stablehlo_text(graph);
  return program;
}

}  // namespace

const Target& pjrt_target() {
  static const Target target{.name = "pjrt", .claim = claim, .compile = compile};
  return target;
}

}  // namespace temper::pjrt
