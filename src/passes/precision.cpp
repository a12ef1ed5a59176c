// A float graph with its heavy work in bf16: products of bf16 operands, summed in f32.
#include <algorithm>

#include "base/text.h"
#include "ir/builder.h"
#include "ops/primitives.h"
#include "passes/passes.h"

namespace temper {
namespace {

// What an op does with bf16. bf16 has f32's range and 8 bits of precision: rounding a value that is read as
// an operand of a long sum is harmless, rounding a sum that goes on growing, or a small difference, is not.
enum class Role {
  multiply,  // operands in bf16, and so is the result: the work that bf16 doubles the speed of
  weigh,     // the same, but the result is the gradient of a weight and stays f32, as the optimizer wants it
  dot,  // the one or the other: bf16 if a contraction or norm reads the result, else f32 (scores, logits,
        // gradients of weights)
  normalise,  // pictures in bf16, statistics, parameters and their gradients in f32
  follow,  // bf16 if its operands are: it costs no more than the rounding of its result, and half the traffic
};

struct Row {
  std::string_view op;
  Role role;
  std::vector<size_t> pictures = {};  // of `normalise`: the operands in bf16
};

// Every other op stays f32: exponentials and divisions by sums (softmax, losses), reductions, layer norm
// (its rows are short beside the contractions around it), optimizers, randomness, indices, control flow,
// convolutions of another rank than pictures.
const std::vector<Row>& rows() {
  static const std::vector<Row> all{
      {"conv2d", Role::multiply},
      {"conv_input_grad", Role::multiply},
      {"conv_weight_grad", Role::weigh},
      {"dot_general", Role::dot},
      {"batch_norm_infer", Role::normalise, {0}},
      {"batch_norm_train", Role::normalise, {0}},
      {"batch_norm_grad", Role::normalise, {0, 4}},
      {"batch_norm_act_train", Role::normalise, {0, 3}},
      {"batch_norm_act_grad", Role::normalise, {0, 5, 6}},
      // moves and choices round nothing
      {"reshape", Role::follow},
      {"transpose", Role::follow},
      {"broadcast_in_dim", Role::follow},
      {"slice", Role::follow},
      {"pad", Role::follow},
      {"concat", Role::follow},
      {"reverse", Role::follow},
      {"dropout_infer", Role::follow},
      {"max_pool", Role::follow},
      {"max_pool_grad", Role::follow},
      {"max", Role::follow},
      {"min", Role::follow},
      {"abs", Role::follow},
      {"neg", Role::follow},
      {"compare", Role::follow},
      {"select", Role::follow},
      // one rounding, of the result
      {"avg_pool", Role::follow},
      {"avg_pool_grad", Role::follow},
      {"add", Role::follow},
      {"sub", Role::follow},
      {"mul", Role::follow},
      {"div", Role::follow},
      {"sigmoid", Role::follow},
      {"tanh", Role::follow},
      {"gelu", Role::follow},
      {"gelu_grad", Role::follow},
  };
  return all;
}

const Row* find_row(const Node& node) {
  const auto found = std::ranges::find(rows(), node.op->name, &Row::op);
  return found == rows().end() ? nullptr : &*found;
}

// For each node, whether a contraction or a norm reads it, if need be through ops that follow.
std::vector<bool> read_by_heavy_work(const Graph& graph) {
  std::vector<bool> read(static_cast<size_t>(graph.size()));
  for (size_t i = read.size(); i-- > 0;) {
    const Node& node = graph.nodes()[i];
    const Row* row = find_row(node);
    if (!row || (row->role == Role::follow && !read[i])) continue;
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const bool counts = row->role != Role::normalise || std::ranges::count(row->pictures, k) > 0;
      if (node.inputs[k] && counts) read[static_cast<size_t>(node.inputs[k].node)] = true;
    }
  }
  return read;
}

bool spreads(const Graph& graph, const Node& node) {  // repeats a few numbers
  if (node.op->name != "broadcast_in_dim" && node.op->name != "reshape") return false;
  const Shape &from = graph.type(node.inputs[0]).shape, &to = node.outputs[0].shape;
  return from.is_static() && (!to.is_static() || from.elements() < to.elements() || from.elements() == 1 ||
                              spreads(graph, graph.node(node.inputs[0])));
}

Value narrowed(Builder& b, Value value) {
  if (!value || b.dtype(value) != DType::f32) return value;
  const Node& node = b.graph().node(value);
  if (node.op == &constant_op)
    return b.constant(
        from_doubles({DType::bf16, b.shape(value)}, to_doubles(node.attributes.get<Tensor>("value"))));
  if (!spreads(b.graph(), node)) return ops::convert(b, value, DType::bf16);
  // Rounded before they are many.
  return b.emit(*node.op, {narrowed(b, node.inputs[0])}, node.attributes, node.name);
}

// Whether bf16 holds a few numbers beside a large operand as well as need be: a bias it may round, a constant
// such as 1/6 it may not.
bool is_kept(const Graph& graph, Value value) {
  const Node* node = &graph.node(value);
  while (spreads(graph, *node)) node = &graph.node(node->inputs[0]);
  if (node->op != &constant_op) return true;
  const std::vector<double> numbers = to_doubles(node->attributes.get<Tensor>("value"));
  return std::ranges::all_of(numbers, [](double number) {
    const auto single = static_cast<float>(number);
    return bf16_to_f32(f32_to_bf16(single)) == single;
  });
}

// One node of the f32 graph, written anew over operands of which some are bf16 now.
class Rewriting {
 public:
  Rewriting(const Graph& original, Builder& b, const NodeView& view)
      : original_(original), b_(b), view_(view) {}

  std::vector<Value> emit(bool read_by_heavy_work) {
    const Row* row = all_f32() ? find_row(view_.node) : nullptr;
    if (!row) return copy(widened());
    switch (row->role) {
      case Role::multiply:
        return copy(narrow());
      case Role::weigh:
        return copy(narrow(), DType::f32);
      case Role::dot:
        return copy(narrow(), read_by_heavy_work ? std::nullopt : std::optional(DType::f32));
      case Role::normalise:
        return is_narrow(0) ? copy(narrow(&row->pictures)) : copy(widened());
      case Role::follow:
        return follows() ? follow() : copy(widened());
    }
    TEMPER_CHECK(false, "a role without a rule");
  }

 private:
  DType original(size_t i) const { return original_.type(view_.node.inputs[i]).dtype; }
  bool present(size_t i) const { return static_cast<bool>(view_.inputs[i]); }
  bool is_narrow(size_t i) const {
    return present(i) && original(i) == DType::f32 && b_.dtype(view_.inputs[i]) == DType::bf16;
  }

  bool all_f32() const {
    for (size_t i = 0; i < view_.inputs.size(); ++i)
      if (present(i) && is_float(original(i)) && original(i) != DType::f32) return false;
    return true;
  }

  std::vector<Value> copy(std::vector<Value> inputs, std::optional<DType> result = std::nullopt) {
    Attributes attributes = view_.attributes();
    if (result) attributes.set("result", *result);
    return b_.emit_all(*view_.node.op, std::move(inputs), std::move(attributes), view_.node.name,
                       view_.node.regions);
  }

  Value wide(size_t i) {
    return is_narrow(i) ? ops::convert(b_, view_.inputs[i], DType::f32) : view_.inputs[i];
  }

  std::vector<Value> widened() {
    std::vector<Value> inputs;
    for (size_t i = 0; i < view_.inputs.size(); ++i) inputs.push_back(wide(i));
    return inputs;
  }

  std::vector<Value> narrow(const std::vector<size_t>* only = nullptr) {
    std::vector<Value> inputs;
    for (size_t i = 0; i < view_.inputs.size(); ++i)
      inputs.push_back(!only || std::ranges::count(*only, i) > 0 ? narrowed(b_, view_.inputs[i]) : wide(i));
    return inputs;
  }

  // bf16 beside bf16 or a few numbers.
  bool follows() const {
    bool any = false;
    for (size_t i = 0; i < view_.inputs.size(); ++i) {
      if (!present(i) || original(i) != DType::f32) continue;
      const Value input = view_.inputs[i];
      const Node& node = b_.graph().node(input);
      if (is_narrow(i))
        any = true;
      else if (b_.shape(input).rank() > 0 && node.op != &constant_op && !spreads(b_.graph(), node))
        return false;
    }
    return any;
  }

  std::vector<Value> follow() {
    bool kept = true;
    for (size_t i = 0; i < view_.inputs.size(); ++i)
      if (present(i) && b_.dtype(view_.inputs[i]) == DType::f32)
        kept = kept && is_kept(b_.graph(), view_.inputs[i]);
    if (kept) return copy(narrow());
    std::vector<Value> results = copy(widened());
    if (b_.dtype(results[0]) == DType::f32) results[0] = ops::convert(b_, results[0], DType::bf16);
    return results;
  }

  const Graph& original_;
  Builder& b_;
  const NodeView& view_;
};

}  // namespace

Graph lower_precision(const Graph& graph) {
  const std::vector<bool> read = read_by_heavy_work(graph);
  size_t at = 0;
  Graph result = rewrite(
      graph,
      [&](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
        if (view.node.op == &input_op) return std::nullopt;
        while (&graph.nodes()[at] != &view.node) ++at;
        return Rewriting(graph, b, view).emit(read[at]);
      },
      false);
  Builder b(result);
  for (size_t i = 0; i < result.outputs.size(); ++i)
    result.outputs[i].value =
        ops::convert(b, result.outputs[i].value, graph.type(graph.outputs[i].value).dtype);
  return eliminate_dead(result);
}

}  // namespace temper
