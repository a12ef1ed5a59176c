#include "grad/gradient.h"

#include <map>

#include "ops/primitives.h"

namespace temper {
namespace {

// Which nodes lie on a path from `wrt`: only those carry a cotangent.
std::vector<bool> reached_from(const Graph& graph, std::span<const Value> wrt) {
  std::vector<bool> reached(static_cast<size_t>(graph.size()));
  for (Value value : wrt) reached[static_cast<size_t>(value.node)] = true;
  for (size_t i = 0; i < reached.size(); ++i) {
    for (Value input : graph.nodes()[i].inputs) {
      if (input && reached[static_cast<size_t>(input.node)]) reached[i] = true;
    }
  }
  return reached;
}

// Sums of the cotangents that arrived so far.
class Cotangents {
 public:
  void add(Builder& b, Value at, Value cotangent) {
    if (!at || !cotangent || !is_float(b.dtype(at))) return;
    TEMPER_CHECK(b.type(cotangent) == b.type(at), "a gradient of type ", to_string(b.type(cotangent)),
                 " for ", to_string(b.type(at)), " of ", b.graph().describe(at.node));
    auto [found, fresh] = sums_.emplace(at, cotangent);
    if (!fresh) found->second = ops::add(b, found->second, cotangent);
  }
  Value at(Value value) const {
    const auto found = sums_.find(value);
    return found == sums_.end() ? Value{} : found->second;
  }

 private:
  std::map<Value, Value> sums_;
};

[[noreturn]] void no_gradient(const Op& op, const std::string& name) {
  throw Error(ErrorKind::unsupported,
              concat("no gradient through ", name.empty() ? op.name : std::string_view(name), " (", op.name,
                     "): ", op.no_gradient, "; freeze what stands before it, or train only what follows"))
      .at_node(name);
}

}  // namespace

std::vector<Value> decomposition_gradient(Builder& b, const VjpContext& context) {
  Graph body;
  Builder inner(body);
  std::vector<Value> arguments, inputs, wrt, seeds;
  for (size_t i = 0; i < context.inputs.size(); ++i) {
    if (!context.inputs[i]) {
      inputs.push_back({});
      continue;
    }
    inputs.push_back(inner.input(concat("input.", i), b.type(context.inputs[i])));
    arguments.push_back(context.inputs[i]);
    if (context.needed[i]) wrt.push_back(inputs.back());
  }
  const std::vector<Value> results = context.node.op->decompose(inner, {context.node, inputs});
  for (size_t i = 0; i < results.size(); ++i) {
    seeds.push_back(context.cotangents[i] ? inner.input(concat("seed.", i), b.type(context.cotangents[i]))
                                          : Value{});
    if (context.cotangents[i]) arguments.push_back(context.cotangents[i]);
  }
  const std::vector<Value> gradients = vector_jacobian(inner, results, seeds, wrt);
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (gradients[i]) inner.output(concat("gradient.", i), gradients[i]);
  }
  const std::vector<Value> outer = inline_graph(b, body, arguments);
  std::vector<Value> result(context.inputs.size());
  for (size_t i = 0, w = 0, o = 0; i < result.size(); ++i) {
    if (context.inputs[i] && context.needed[i] && gradients[w++]) result[i] = outer[o++];
  }
  return result;
}

std::vector<Value> node_gradient(Builder& b, const VjpContext& context) {
  const Op& op = *context.node.op;
  if (op.vjp) return op.vjp(b, context);
  if (op.decompose && op.no_gradient.empty()) return decomposition_gradient(b, context);
  no_gradient(op, context.node.name);
}

std::vector<Value> vector_jacobian(Builder& b, std::span<const Value> ys, std::span<const Value> seeds,
                                   std::span<const Value> wrt) {
  const int size = b.graph().size();
  const std::vector<bool> reached = reached_from(b.graph(), wrt);
  Cotangents sums;
  for (size_t i = 0; i < ys.size(); ++i) sums.add(b, ys[i], seeds[i]);

  for (int i = size - 1; i >= 0; --i) {
    if (!reached[static_cast<size_t>(i)]) continue;
    const Node node = b.graph().nodes()[static_cast<size_t>(i)];  // a copy: emitting moves the nodes
    std::vector<Value> outputs, cotangents;
    bool any = false;
    for (size_t k = 0; k < node.outputs.size(); ++k) {
      outputs.push_back({i, static_cast<int32_t>(k)});
      cotangents.push_back(sums.at(outputs.back()));
      any |= static_cast<bool>(cotangents.back());
    }
    const auto needed = std::make_unique<bool[]>(node.inputs.size());
    bool wanted = false;
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const Value input = node.inputs[k];
      needed[k] = input && reached[static_cast<size_t>(input.node)] && is_float(b.dtype(input));
      wanted |= needed[k];
    }
    if (!any || !wanted) continue;
    b.set_default_name(node.name.empty() ? "" : node.name + ".grad");
    const std::vector<Value> gradients = node_gradient(
        b, {node, node.inputs, outputs, cotangents, {needed.get(), node.inputs.size()}, vector_jacobian});
    TEMPER_CHECK(gradients.size() <= node.inputs.size(), "vjp of ", node.op->name,
                 " gives too many gradients");
    for (size_t k = 0; k < gradients.size(); ++k) {
      if (needed[k]) sums.add(b, node.inputs[k], gradients[k]);
    }
  }
  b.set_default_name("");
  std::vector<Value> result;
  for (Value value : wrt) result.push_back(sums.at(value));
  return result;
}

std::vector<Value> gradient(Builder& b, Value y, std::span<const Value> wrt, Value seed) {
  if (!seed) seed = ops::full(b, b.type(y), 1);
  std::vector<Value> result = vector_jacobian(b, {&y, 1}, {&seed, 1}, wrt);
  for (size_t i = 0; i < result.size(); ++i) {
    if (!result[i]) result[i] = ops::zeros(b, b.type(wrt[i]));
  }
  return result;
}

}  // namespace temper
