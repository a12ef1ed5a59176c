// What XLA takes, and how a graph becomes a Program: its code is StableHLO text.
#include "base/check.h"
#include "devices/pjrt/pjrt.h"
#include "devices/pjrt/stablehlo.h"
#include "ir/op.h"

namespace temper::pjrt {

namespace {

// XLA fuses by itself: of composites it sees what they are made of.
Claim claim(const TargetFacts&, const Graph& graph, const Node& node) {
  if (!node.op->primitive) return {Claim::decompose, "XLA fuses what it is made of"};
  const std::string why = why_not(graph, node);
  return why.empty() ? Claim{Claim::kernel, "XLA"} : Claim{Claim::refuse, why};
}

Program compile(const TargetFacts&, const Graph& graph, const CompileOptions& options) {
  Program program{.target = "pjrt", .graph = graph, .donations = graph.donations, .options = options};
  for (const Port& input : graph.inputs) program.inputs.push_back({input.name, graph.type(input.value)});
  for (const Port& output : graph.outputs) program.outputs.push_back({output.name, graph.type(output.value)});
  for (const Argument& input : program.inputs) program.memory.arguments += byte_size(input.type);
  for (const Argument& output : program.outputs) program.memory.outputs += byte_size(output.type);
  for (const Donation& donation : graph.donations)
    program.memory.outputs -= byte_size(program.outputs[static_cast<size_t>(donation.output)].type);
  program.code = stablehlo_text(graph);
  return program;
}

}  // namespace

const Target& pjrt_target() {
  static const Target target{.name = "pjrt", .claim = claim, .compile = compile};
  return target;
}

}  // namespace temper::pjrt
