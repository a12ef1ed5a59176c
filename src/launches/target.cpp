#include "launches/target.h"

#include <algorithm>

#include "codegen/tape.h"
#include "ir/op.h"
#include "launches/plan.h"

namespace temper::launches {

namespace {

bool has_f64(const TargetFacts& facts) {
  const auto found = facts.facts.find("f64");
  return found == facts.facts.end() || found->second == "yes";
}

// Why kernels cannot hold this type; empty if they can. Moves take elements as bits.
std::string lacks(const TargetFacts& facts, const Type& type, bool moves) {
  if (!type.shape.is_static()) return concat("the shape ", to_string(type.shape), " is not fixed");
  if (is_packed(type.dtype)) return concat("no kernel for the packed ", to_string(type.dtype));
  if (moves) return {};
  if (!has_element_text(type.dtype)) return concat("no arithmetic in ", to_string(type.dtype));
  if (type.dtype == DType::f64 && !has_f64(facts)) return "the device has no f64";
  return {};
}

bool only_moves(const Node& node) {
  static constexpr std::string_view kMoves[] = {
      "input", "constant", "reshape", "barrier",       "transpose",           "slice",
      "pad",   "concat",   "reverse", "dynamic_slice", "dynamic_update_slice"};
  return std::ranges::find(kMoves, node.op->name) != std::end(kMoves);
}

}  // namespace

Claim claim(const TargetFacts& facts, const Graph& graph, const Node& node) {
  const bool moves = only_moves(node),
             map = is_map(node) || is_view(graph, node) || node.op->name == "reduce";
  static constexpr std::string_view kOwn[] = {"erf", "gelu", "gelu_grad"};
  const bool own = std::ranges::find(kOwn, node.op->name) != std::end(kOwn);
  if (!node.op->primitive && !(own && map)) return {Claim::decompose, "kernels fuse what it is made of"};
  for (const Value input : node.inputs)
    if (const std::string why = input ? lacks(facts, graph.type(input), moves) : ""; !why.empty())
      return {Claim::refuse, why};
  for (const Type& output : node.outputs)
    if (const std::string why = lacks(facts, output, moves); !why.empty()) return {Claim::refuse, why};
  if (is_leaf(node) || is_alias(node)) return {Claim::kernel, "memory"};
  if (is_control(node)) return {Claim::kernel, "the launches of its body"};
  if (has_node_kernels(node)) return {Claim::kernel, "generated kernel"};
  if (map) return {Claim::kernel, "generated kernel of fused maps"};
  return {Claim::refuse, concat("no kernel for ", node.op->name)};
}

Program compile(const Vendor& vendor, const TargetFacts& facts, const Graph& graph,
                const CompileOptions& options) {
  Program program{
      .target = std::string(vendor.target), .graph = graph, .donations = graph.donations, .options = options};
  for (const Work& work : cut_into_work(vendor, facts, graph)) program.clusters.push_back(work.cluster);
  for (const Port& input : graph.inputs) program.inputs.push_back({input.name, graph.type(input.value)});
  for (const Port& output : graph.outputs) program.outputs.push_back({output.name, graph.type(output.value)});
  for (const Argument& input : program.inputs) program.memory.arguments += byte_size(input.type);
  for (const Argument& output : program.outputs) program.memory.outputs += byte_size(output.type);
  for (const Donation& donation : graph.donations)
    program.memory.donated += byte_size(program.outputs[static_cast<size_t>(donation.output)].type);
  program.memory.outputs -= program.memory.donated;
  KernelTable kernels;
  const Plan plan = make_plan(vendor, facts, graph, kernels);
  program.memory.temporaries = program.memory.plain_temporaries = plan.arena_bytes;
  program.memory.floor = plan.arena_floor;
  program.code = kernels.source(*vendor.dialect);
  return program;
}

}  // namespace temper::launches
