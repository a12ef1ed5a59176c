// What the processor has kernels for, and how a graph becomes a Program.
#include "base/check.h"
#include "devices/cpu/contract.h"
#include "devices/cpu/control.h"
#include "devices/cpu/convolution.h"
#include "devices/cpu/cpu.h"
#include "devices/cpu/fusion.h"
#include "devices/cpu/legal_forms.h"
#include "devices/cpu/matmul.h"
#include "devices/cpu/onednn.h"
#include "devices/cpu/plan.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

Claim claim_contraction(const Graph& graph, const Node& node) {
  const DType dtype = graph.type(node.inputs[0]).dtype;
  if (!contracts(dtype)) return {Claim::refuse, concat("no contraction of ", to_string(dtype))};
  const bool is_dot = node.op->name == "dot_general";
  if (runs_on_integers(graph, node))
    return {Claim::kernel, concat(has_int8_kernels() ? "oneDNN " : "own ", is_dot ? "matmul" : "convolution",
                                  " of integers")};
  if (is_dot ? onednn_multiplies(dtype) : convolution_of(graph, node).has_value())
    return {Claim::kernel, is_dot ? "oneDNN matmul" : "oneDNN convolution"};
  return {Claim::kernel, "plain loops"};
}

Claim claim(const TargetFacts&, const Graph& graph, const Node& node) {
  for (const Type& type : node.outputs)
    if (!type.shape.is_static())
      return {Claim::refuse, concat("the shape ", to_string(type.shape), " is not fixed")};
  if (is_leaf(node)) return {Claim::kernel, "memory"};
  if (node.op->name == "all_reduce" && node.attributes.get_or<int64_t>("replicas", 1) != 1)
    return {Claim::refuse, "the processor is one replica"};
  if (is_alias(graph, node)) {
    if (node.op->name == "transpose" && is_packed(node.outputs[0].dtype))
      return {Claim::refuse, concat("no transpose of ", to_string(node.outputs[0].dtype))};
    return {Claim::kernel, "memory"};
  }
  if (is_contraction(node)) return claim_contraction(graph, node);
  if (is_control(node)) return claim_control(graph, node);
  return claim_kernel(graph, node);
}

Program compile(const TargetFacts& facts, const Graph& graph, const CompileOptions& options) {
  Program program{.target = "cpu", .graph = graph, .donations = graph.donations, .options = options};
  if (program.options.threads <= 0) program.options.threads = facts.threads;
  program.clusters = make_clusters(graph);
  const std::vector<Operands> operands = operands_of(graph, program.clusters);
  const Layouts layouts(graph, program.clusters, operands, program.options.threads,
                        {.may_transform = options.sole_reader});
  const Signature seen = signature(graph, layouts);
  program.inputs = seen.inputs;
  program.outputs = seen.outputs;
  const Plan plan = make_plan(graph, seen, program.options);
  program.memory.temporaries = plan.arena_bytes;
  program.memory.floor = plan.arena_floor;
  program.memory.plain_temporaries = plan.plain_arena_bytes;
  for (const Argument& input : seen.inputs)
    program.memory.arguments += stored_bytes(input.type, input.layout);
  for (const Argument& output : seen.outputs)
    program.memory.outputs += stored_bytes(output.type, output.layout);
  for (const Donation& donation : graph.donations) {
    const Argument& taken = seen.outputs[static_cast<size_t>(donation.output)];
    program.memory.donated += stored_bytes(taken.type, taken.layout);
  }
  program.memory.outputs -= program.memory.donated;
  return program;
}

}  // namespace

const Target& cpu_target() {
  static const Target target{.name = "cpu",
                             .claim = claim,
                             .legalize = {inline_calls, widen_contractions, unsigned_integers, move_integers,
                                          scale_results, compare_results, batches_in_parts},
                             .compile = compile};
  return target;
}

}  // namespace temper::cpu
