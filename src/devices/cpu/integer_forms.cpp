// Rewrites of quantised graphs before clusters are made.
#include <algorithm>
#include <set>

#include "devices/cpu/integers.h"
#include "devices/cpu/legal_forms.h"
#include "ir/builder.h"
#include "ops/composites.h"
#include "passes/passes.h"

namespace temper::cpu {

Graph unsigned_integers(const Graph& graph) {
  const auto readers = users(graph);
  std::set<const Node*> quantizes, dequantizes;
  std::set<Value> leaving;
  for (const Port& output : graph.outputs) leaving.insert(output.value);
  for (int i = 0; i < graph.size(); ++i) {
    const Node& node = graph.nodes()[static_cast<size_t>(i)];
    const auto scaling = node.op->name == "quantize" ? scaling_of(graph, node) : std::nullopt;
    if (!scaling || scaling->dtype != DType::i8 || leaving.contains({i, 0})) continue;
    std::set<const Node*> reads;
    for (const int reader : readers[static_cast<size_t>(i)])
      reads.insert(&graph.nodes()[static_cast<size_t>(reader)]);
    const bool all = std::ranges::all_of(reads, [&](const Node* reader) {
      return reader->op->name == "dequantize" && reader->inputs[0] == Value{i, 0} &&
             scaling_of(graph, *reader);
    });
    if (!all || reads.empty()) continue;
    quantizes.insert(&node);
    dequantizes.merge(reads);
  }
  if (quantizes.empty()) return graph;
  return rewrite(
      graph,
      [&](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
        const bool quantizes_now = quantizes.contains(&view.node);
        if (!quantizes_now && !dequantizes.contains(&view.node)) return std::nullopt;
        const Value scale = view.inputs[1],
                    zero = b.scalar(DType::u8, scaling_of(graph, view.node)->zero + 128);
        const Value x = view.inputs[0];
        return std::vector{quantizes_now ? ops::quantize(b, x, scale, zero, {.dtype = DType::u8})
                                         : ops::dequantize(b, x, scale, zero)};
      },
      false);
}

namespace {

bool is_move(const Node& node) {
  static constexpr std::string_view kMoves[] = {"max_pool", "reshape", "transpose",
                                                "concat",   "slice",   "reverse"};
  return std::ranges::find(kMoves, node.op->name) != std::end(kMoves);
}

// The integers behind a value of the new graph that is dequantised by `scaling` and then moved; none if it is
// something else. What is moved is read nowhere else.
Value moved(Builder& b, Value value, const Scaling& scaling, const std::set<Value>& read_once) {
  const Node node = b.graph().node(value);
  if (node.op->name == "dequantize") {
    const auto found = quantised(b.graph(), value);
    return found && found->scaling == scaling ? found->integers : Value{};
  }
  if (!is_move(node) || !read_once.contains(value)) return {};
  std::vector<Value> inputs;
  for (const Value input : node.inputs) {
    inputs.push_back(moved(b, input, scaling, read_once));
    if (!inputs.back()) return {};
  }
  return b.emit(*node.op, std::move(inputs), node.attributes, node.name);
}

}  // namespace

Graph move_integers(const Graph& graph) {
  const auto readers = users(graph);
  std::set<Value> read_once;  // in the new graph
  std::set<Value> leaving;
  for (const Port& output : graph.outputs) leaving.insert(output.value);
  std::set<const Node*> once;
  for (int i = 0; i < graph.size(); ++i)
    if (readers[static_cast<size_t>(i)].size() == 1 && !leaving.contains({i, 0}))
      once.insert(&graph.nodes()[static_cast<size_t>(i)]);
  const auto move = [&](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
    if (is_move(view.node) && once.contains(&view.node)) {
      const Value copy =
          b.emit(*view.node.op, {view.inputs.begin(), view.inputs.end()}, view.attributes(), view.node.name);
      read_once.insert(copy);
      return std::vector{copy};
    }
    const auto scaling = view.node.op->name == "quantize" ? scaling_of(graph, view.node) : std::nullopt;
    if (!scaling) return std::nullopt;
    const Value integers = moved(b, view.inputs[0], *scaling, read_once);
    return integers ? std::optional(std::vector{integers}) : std::nullopt;
  };
  return eliminate_dead(rewrite(graph, move, false));
}

}  // namespace temper::cpu
