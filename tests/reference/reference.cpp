#include "reference.h"

#include <set>

#include "devices/cpu/cpu.h"
#include "ir/text.h"
#include "ops/registry.h"
#include "ops/samples.h"
#include "passes/passes.h"

namespace temper {
namespace {

constexpr std::string_view kHead =
    "# Ops\n\n"
    "Every op of a graph, from the table in `src/ops/ops.def`. Made by `write_ops_reference`: do not "
    "edit.\n\n"
    "Each entry shows one node in the text form: operands in parentheses, attributes in braces, then the "
    "result's type.\n"
    "Dtypes are those of the samples, which every device is tested with; moves take all others too.\n";

// The line of the text form in which the op stands.
std::string example(const Op& op, const Sample& sample) {
  const std::string text = print(sample_graph(op, sample), {.elide_constants_over = 16});
  const size_t at =
      text.rfind(concat(" = ", op.name, "@"),
                 text.find("\nin \"") == std::string::npos ? text.size() : text.find("\nin \""));
  const size_t begin = text.rfind('\n', at) + 1;
  std::string line = text.substr(begin, text.find('\n', at) - begin);
  return ends_with(line, " (") ? line + "...)" : line;
}

std::string dtypes(const std::vector<Sample>& samples) {
  std::set<DType> found;
  for (const Sample& sample : samples) {
    if (!sample.inputs.empty()) found.insert(sample.inputs[0].dtype);
    if (sample.inputs.empty() && sample.attributes.find("dtype"))
      found.insert(sample.attributes.get<DType>("dtype"));
  }
  std::vector<std::string_view> names;
  for (DType dtype : found) names.push_back(to_string(dtype));
  return join(names, ", ");
}

std::string gradient(const Op& op) {
  if (!op.no_gradient.empty()) return concat("none: ", op.no_gradient);
  return op.vjp ? "yes" : "through its decomposition";
}

// How the CPU claims the samples: the kind alone, since reasons may depend on the machine.
std::string claims(const Op& op, const std::vector<Sample>& samples) {
  size_t kernels = 0, decomposed = 0;
  for (const Sample& sample : samples) {
    const Graph graph = sample_graph(op, sample);
    for (const Node& node : graph.nodes()) {
      if (node.op != &op) continue;
      const Claim claim = cpu::cpu_target().claim({.name = "cpu"}, graph, node);
      kernels += claim.kind == Claim::kernel;
      decomposed += claim.kind == Claim::decompose;
    }
  }
  if (kernels == samples.size()) return "a kernel";
  if (decomposed == samples.size()) return "its decomposition";
  if (kernels + decomposed == 0) {
    const bool vanishes = fold(sample_graph(op, samples.front())).nodes().back().op != &op;
    return vanishes ? "folded before it runs" : "none";
  }
  return concat("a kernel for ", kernels, " of ", samples.size(), " samples, else ",
                decomposed > 0 ? "its decomposition" : "none");
}

std::string entry(const Op& op) {
  std::string text = concat("\n### ", op.name, "\n\n", op.summary, "\n");
  if (!op.samples) return text;
  const std::vector<Sample> samples = op.samples();
  text += concat("\n```\n", example(op, samples.front()), "\n```\n\n");
  text += concat("- dtypes: ", dtypes(samples), "\n- gradient: ", gradient(op),
                 "\n- cpu: ", claims(op, samples), "\n");
  return text;
}

}  // namespace

std::string ops_reference() {
  std::string text(kHead);
  for (const bool primitive : {true, false}) {
    text += primitive ? "\n## Primitives\n"
                      : "\n## Composites\n\nDefined by their decomposition into primitives.\n";
    for (const Op* op : all_ops()) {
      if (op->primitive == primitive) text += entry(*op);
    }
  }
  return text;
}

}  // namespace temper
