#include "formats/onnx/order.h"

#include <queue>
#include <unordered_map>

#include "base/text.h"
#include "temper/error.h"

namespace temper::onnx {

const std::string& label(const NodeDef& node) {
  return !node.name.empty() || node.outputs.empty() ? node.name : node.outputs[0];
}

std::string describe(const NodeDef& node, int index) {
  return concat("node '", label(node), "' (", node.domain, node.domain.empty() ? "" : ".", node.op_type,
                ", node ", index, ")");
}

static std::set<std::string> reads_of_graph(const GraphDef& graph) {
  std::set<std::string> result, defined;
  for (const ValueDef& input : graph.inputs) defined.insert(input.name);
  for (const InitializerDef& entry : graph.initializers) defined.insert(entry.name);
  for (const NodeDef& node : graph.nodes) {
    result.merge(reads(node));
    defined.insert(node.outputs.begin(), node.outputs.end());
  }
  for (const ValueDef& output : graph.outputs) result.insert(output.name);
  for (const std::string& name : defined) result.erase(name);
  return result;
}

std::set<std::string> reads(const NodeDef& node) {
  std::set<std::string> result(node.inputs.begin(), node.inputs.end());
  for (const AttributeDef& attribute : node.attributes)
    if (const auto* graph = std::get_if<std::shared_ptr<const GraphDef>>(&attribute.value))
      result.merge(reads_of_graph(**graph));
  result.erase("");
  return result;
}

std::vector<int> ordered(const std::vector<NodeDef>& nodes, const std::set<std::string>& outside,
                         const std::string& path) {
  const auto corrupt = [&](const auto&... parts) {
    return Error(ErrorKind::corrupt, concat(path, ": ", concat(parts...)));
  };
  std::unordered_map<std::string, int> producer;
  for (int i = 0; i < static_cast<int>(nodes.size()); ++i) {
    const NodeDef& node = nodes[static_cast<size_t>(i)];
    for (const std::string& output : node.outputs) {
      if (output.empty()) continue;
      if (outside.contains(output) || !producer.emplace(output, i).second)
        throw corrupt("'", output, "' is produced twice, the second time by ", describe(node, i))
            .at_node(label(node));
    }
  }
  std::vector<std::vector<int>> readers(nodes.size());
  std::vector<int> waiting(nodes.size());
  for (int i = 0; i < static_cast<int>(nodes.size()); ++i) {
    const NodeDef& node = nodes[static_cast<size_t>(i)];
    for (const std::string& name : reads(node)) {
      const auto source = producer.find(name);
      if (source != producer.end()) {
        readers[static_cast<size_t>(source->second)].push_back(i);
        ++waiting[static_cast<size_t>(i)];
      } else if (!outside.contains(name)) {
        throw corrupt(describe(node, i), " reads '", name, "', which nothing produces").at_node(label(node));
      }
    }
  }
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (size_t i = 0; i < nodes.size(); ++i)
    if (waiting[i] == 0) ready.push(static_cast<int>(i));
  std::vector<int> result;
  while (!ready.empty()) {
    const int next = ready.top();
    ready.pop();
    result.push_back(next);
    for (const int reader : readers[static_cast<size_t>(next)])
      if (--waiting[static_cast<size_t>(reader)] == 0) ready.push(reader);
  }
  for (size_t i = 0; i < nodes.size(); ++i)
    if (waiting[i] > 0)
      throw corrupt(describe(nodes[i], static_cast<int>(i)), " is in a cycle or reads from one")
          .at_node(label(nodes[i]));
  return result;
}

}  // namespace temper::onnx
