#include "train/first_difference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/text.h"
#include "ir/op.h"
#include "passes/passes.h"
#include "runtime/compile.h"
#include "tensor/compare.h"
#include "train/interrupt.h"

namespace temper {
namespace {

double largest(const Tensor& tensor) {
  double result = 0;
  for (const double value : to_doubles(tensor))
    if (std::isfinite(value)) result = std::max(result, std::abs(value));
  return result;
}

double relative(const Tensor& expected, const Tensor& found) {
  const double apart = difference(expected, found).max_abs;
  return apart == 0 ? 0 : apart / std::max(largest(expected), std::numeric_limits<double>::min());
}

class Bisection {
 public:
  Bisection(const Graph& graph, const std::map<std::string, Tensor>& arguments, Device& reference,
            Device& device, const CompileOptions& options)
      : graph_(graph), arguments_(arguments), reference_(reference), device_(device), options_(options) {}

  // How far the values of a node are apart; measured once.
  double at(Value value) {
    const auto found = known_.find(value);
    if (found != known_.end()) return found->second;
    Graph part = graph_;
    part.outputs = {{"value", value}};
    part.donations.clear();
    part = eliminate_dead(part);
    const auto run = [&](Device& device) {
      std::vector<Tensor> arguments;
      for (const Port& port : part.inputs) arguments.push_back(arguments_.at(port.name));
      return run_once(device, part, std::move(arguments), options_)[0];
    };
    return known_[value] = relative(run(reference_), run(device_));
  }

 private:
  const Graph& graph_;
  const std::map<std::string, Tensor>& arguments_;
  Device &reference_, &device_;
  const CompileOptions& options_;
  std::map<Value, double> known_;
};

bool is_candidate(const Graph& graph, Value value) {
  if (!value || !is_float(graph.type(value).dtype)) return false;
  const std::string_view op = graph.node(value).op->name;
  return op != "input" && op != "constant";
}

std::string name_of(const Graph& graph, Value value) {
  const Node& node = graph.node(value);
  return node.name.empty() ? concat(node.op->name, " (node ", value.node, ")") : node.name;
}

}  // namespace

std::optional<FirstDifference> first_difference(const Graph& graph,
                                                const std::map<std::string, Tensor>& arguments,
                                                Device& reference, Device& device, double bound,
                                                const CompileOptions& options, TrainEvents& events) {
  const Graph live = eliminate_dead(graph);
  std::vector<Value> values;
  for (int i = 0; i < live.size(); ++i)
    if (is_candidate(live, {i, 0})) values.push_back({i, 0});
  Bisection apart(live, arguments, reference, device, options);
  if (values.empty() || apart.at(values.back()) <= bound) return std::nullopt;
  // values[first] is beyond the bound, values[within] is not, or there is none before.
  size_t first = values.size() - 1, from = 0;
  const auto steps = static_cast<int64_t>(std::ceil(std::log2(static_cast<double>(values.size()))));
  for (int64_t step = 0; from < first; ++step) {
    events.progress("bisect", step, std::max(steps, step + 1), {});
    stop_if_asked();
    const size_t middle = from + (first - from) / 2;
    (apart.at(values[middle]) > bound ? first : from) =
        apart.at(values[middle]) > bound ? middle : middle + 1;
  }
  // Branches lie one after the other, so what feeds the node found may differ already.
  Value node = values[first];
  for (bool moved = true; moved;) {
    moved = false;
    for (const Value operand : live.node(node).inputs) {
      if (!is_candidate(live, operand) || apart.at(operand) <= bound) continue;
      node = operand;
      moved = true;
      break;
    }
  }
  return FirstDifference{name_of(live, node), apart.at(node)};
}

}  // namespace temper
