#include "runtime/compile.h"

#include "base/check.h"
#include "ir/op.h"
#include "passes/passes.h"

namespace temper {

namespace {

Graph simplify(const Graph& graph) { return eliminate_dead(merge_common(fold(graph))); }

void require_static(const Graph& graph) {
  for (const Port& input : graph.inputs) {
    const Type& type = graph.type(input.value);
    if (!type.shape.is_static())
      throw Error(ErrorKind::invalid, concat("input `", input.name, "` has the shape ", to_string(type.shape),
                                             "; give its free dimensions a size before it is compiled"));
  }
}

// Every node the target refuses with its reason, regions included.
void find_refused(const Target& target, const TargetFacts& facts, const Graph& graph,
                  std::vector<std::string>& refused) {
  for (int i = 0; i < graph.size(); ++i) {
    const Node& node = graph.nodes()[static_cast<size_t>(i)];
    const Claim claim = target.claim(facts, graph, node);
    if (claim.kind != Claim::kernel)
      refused.push_back(concat(graph.describe(i), ": ", claim.why.empty() ? "no kernel" : claim.why));
    for (const Graph& region : node.regions) find_refused(target, facts, region, refused);
  }
}

void require_claimed(const Target& target, const TargetFacts& facts, const Graph& graph) {
  std::vector<std::string> refused;
  find_refused(target, facts, graph, refused);
  if (!refused.empty())
    throw Error(ErrorKind::unsupported,
                concat("device `", target.name, "` cannot run ", refused.size(),
                       refused.size() == 1 ? " node: " : " nodes: ", join(refused, "; ")));
}

}  // namespace

// Regions first, each as a graph of its own: not all passes look inside.
Graph legal_graph(const Target& target, const TargetFacts& facts, const Graph& graph) {
  Graph whole = graph;
  for (int i = 0; i < whole.size(); ++i)
    for (Graph& region : whole.node({i, 0}).regions) region = legal_graph(target, facts, region);
  const auto keep = [&](const Graph& seen, const Node& node) {
    return target.claim(facts, seen, node).kind != Claim::decompose;
  };
  Graph legal = simplify(decompose(simplify(whole), keep));
  for (const Pass pass : target.legalize) legal = pass(legal);
  return legal;
}

std::shared_ptr<const Program> compile(const Target& target, const TargetFacts& facts, const Graph& graph,
                                       const CompileOptions& options) {
  require_static(graph);
  const Graph legal = legal_graph(target, facts, graph);
  require_claimed(target, facts, legal);
  return std::make_shared<const Program>(target.compile(facts, legal, options));
}

std::unique_ptr<Executable> compile(Device& device, const Graph& graph, const CompileOptions& options) {
  return device.load(compile(device.target(), device.facts().target, graph, options));
}

std::vector<Tensor> run_once(Device& device, const Graph& graph, std::vector<Tensor> inputs,
                             const CompileOptions& options) {
  const std::unique_ptr<Executable> executable = compile(device, graph, options);
  const Program& program = executable->program();
  if (inputs.size() != program.inputs.size())
    throw Error(ErrorKind::invalid,
                concat("expected ", program.inputs.size(), " inputs, got ", inputs.size()));
  std::vector<Tensor> arguments, results(program.outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    arguments.push_back(upload(device, inputs[i], program.inputs[i]));
  executable->run(*executable->make_context(), arguments, results);
  for (Tensor& result : results) result = download(device, result);
  return results;
}

}  // namespace temper
