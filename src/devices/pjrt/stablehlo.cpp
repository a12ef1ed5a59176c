#include "devices/pjrt/stablehlo.h"

#include <array>

#include "base/check.h"
#include "devices/pjrt/writer.h"
#include "ir/op.h"

namespace temper::pjrt {

const Printer* find_printer(std::string_view op) {
  static const auto table = [] {
    std::map<std::string_view, const Printer*> printers;
    for (const auto& family : {map_printers(), move_printers(), index_printers(), reduce_printers(),
                               contraction_printers(), control_printers()}) {
      for (const Printer& printer : family) printers[printer.op] = &printer;
    }
    return printers;
  }();
  const auto found = table.find(op);
  return found == table.end() ? nullptr : found->second;
}

std::string why_not(const Graph& graph, const Node& node) {
  for (const Type& type : node.outputs) {
    if (!type.shape.is_static()) return concat("the shape ", to_string(type.shape), " is not fixed");
    if (!is_known(type.dtype)) return concat("XLA takes no ", to_string(type.dtype));
  }
  if (node.op == &input_op) return {};
  const Printer* const printer = find_printer(node.op->name);
  if (!printer) return concat("no StableHLO for ", node.op->name);
  for (const Value input : node.inputs) {
    if (input && !is_known(graph.type(input).dtype))
      return concat("XLA takes no ", to_string(graph.type(input).dtype));
  }
  return printer->why_not ? printer->why_not(graph, node) : "";
}

std::string stablehlo_text(const Graph& graph) {
  Writer writer;
  PrintedList arguments;
  std::vector<std::string> heads, results, names;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    arguments.push_back(writer.fresh(graph.type(graph.inputs[i].value)));
    heads.push_back(concat(arguments[i].name, ": ", type_text(arguments[i].type)));
    for (const Donation& donation : graph.donations) {
      if (donation.input == static_cast<int>(i))
        heads.back() += concat(" {tf.aliasing_output = ", donation.output, " : i32}");
    }
  }
  const PrintedList outputs = writer.graph(graph, arguments);
  for (const Printed& output : outputs) {
    results.push_back(type_text(output.type));
    names.push_back(output.name);
  }
  return concat("module @temper {\n func.func public @main(", join(heads, ", "), ") -> (",
                join(results, ", "), ") {\n", writer.text(), "  \"func.return\"(", join(names, ", "), ") : (",
                join(results, ", "), ") -> ()\n }\n}\n");
}

}  // namespace temper::pjrt
