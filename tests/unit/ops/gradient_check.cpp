#include "gradient_check.h"

#include <algorithm>
#include <cmath>

#include "grad/gradient.h"
#include "ops/interpreter/interpret.h"
#include "ops/rows.h"
#include "ops/samples.h"
#include "ops/shape_rules.h"

namespace temper {
namespace {

DType promoted(DType dtype) { return is_arithmetic_float(dtype) ? DType::f64 : dtype; }

Attributes promoted(const Attributes& given) {
  Attributes attributes = given;
  for (const auto& [name, value] : given.entries()) {
    if (const auto* dtype = std::get_if<DType>(&value)) attributes.set(name, promoted(*dtype));
    if (const auto* tensor = std::get_if<Tensor>(&value); tensor && is_arithmetic_float(tensor->dtype()))
      attributes.set(name, from_doubles({DType::f64, tensor->shape()}, to_doubles(*tensor)));
  }
  return attributes;
}

Graph promoted(const Graph& region) {
  return rewrite(region, [](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
    if (!view.node.regions.empty()) return {};
    return b.emit_all(*view.node.op, {view.inputs.begin(), view.inputs.end()}, promoted(view.attributes()));
  });
}

// One node with the gradient of sum(cotangents * outputs) with respect to every float operand.
struct Problem {
  Graph forward, backward;  // backward takes the cotangents after the inputs
  std::vector<Tensor> inputs, cotangents;
  std::vector<int> operands;      // of the node: which backward output belongs to which
  std::vector<size_t> positions;  // among the graph's inputs
};

Tensor random_tensor(const Type& type, uint64_t salt) {
  const Op named{.name = "direction"};
  return sample_inputs(named, {.name = concat(salt), .inputs = {type}}).front();
}

using NodeGradient = std::vector<Value> (*)(Builder&, const VjpContext&);

Problem make_problem(const Op& op, const Sample& sample, NodeGradient differentiate) {
  Problem problem{sample_graph(op, sample), sample_graph(op, sample), sample_inputs(op, sample), {}, {}, {}};
  Graph& graph = problem.backward;
  graph.outputs.clear();
  const Node node = graph.nodes().back();
  const int index = graph.size() - 1;
  Builder b(graph);
  std::vector<Value> outputs, cotangents;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    outputs.push_back({index, static_cast<int32_t>(i)});
    const Type& type = node.outputs[i];
    cotangents.push_back(is_float(type.dtype) ? b.input(concat("dy", i), type) : Value{});
    if (is_float(type.dtype)) problem.cotangents.push_back(random_tensor(type, 1000 + i));
  }
  const auto needed = std::make_unique<bool[]>(node.inputs.size());
  for (size_t i = 0; i < node.inputs.size(); ++i)
    needed[i] = node.inputs[i] && is_float(b.dtype(node.inputs[i]));
  const std::vector<Value> gradients = differentiate(
      b, {node, node.inputs, outputs, cotangents, {needed.get(), node.inputs.size()}, vector_jacobian});
  size_t position = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.inputs[i]) continue;
    const size_t here = position++;
    if (!needed[i]) continue;
    problem.operands.push_back(static_cast<int>(i));
    problem.positions.push_back(here);
    const bool given = i < gradients.size() && gradients[i];
    b.output(concat("dx", i), given ? gradients[i] : b.constant(Tensor(b.type(node.inputs[i]))));
    TEMPER_CHECK(!given || b.type(gradients[i]) == b.type(node.inputs[i]), "the gradient of operand ", i,
                 " is ", to_string(b.type(gradients[i])), " for ", to_string(b.type(node.inputs[i])));
  }
  verify(graph);
  return problem;
}

std::vector<std::vector<double>> gradients_of(const Problem& problem) {
  std::vector<Tensor> inputs = problem.inputs;
  inputs.insert(inputs.end(), problem.cotangents.begin(), problem.cotangents.end());
  std::vector<std::vector<double>> gradients;
  for (const Tensor& tensor : interpret(problem.backward, inputs)) gradients.push_back(to_doubles(tensor));
  return gradients;
}

// sum(cotangents * outputs) with the operand at `position` moved by `step` along `direction`
double objective(const Problem& problem, size_t position, const std::vector<double>& direction, double step) {
  std::vector<Tensor> inputs = problem.inputs;
  std::vector<double> moved = to_doubles(inputs[position]);
  for (size_t i = 0; i < moved.size(); ++i) moved[i] += step * direction[i];
  inputs[position] = from_doubles(inputs[position].type(), moved);
  double sum = 0;
  size_t next = 0;
  for (const Tensor& output : interpret(problem.forward, inputs)) {
    if (!is_float(output.dtype())) continue;
    const std::vector<double> y = to_doubles(output), weight = to_doubles(problem.cotangents[next++]);
    for (size_t i = 0; i < y.size(); ++i) sum += y[i] * weight[i];
  }
  return sum;
}

}  // namespace

Sample promoted(const Sample& sample) {
  Sample result = sample;
  for (Type& type : result.inputs) type.dtype = promoted(type.dtype);
  result.attributes = promoted(sample.attributes);
  for (Graph& region : result.regions) region = promoted(region);
  return result;
}

bool differentiable(const Op& op, const Sample& sample) {
  if (!op.no_gradient.empty() || !sample.smooth) return false;
  const auto is_real = [](const Type& type) { return is_arithmetic_float(type.dtype); };
  const std::vector<Type> outputs = sample_graph(op, sample).nodes().back().outputs;
  return std::any_of(sample.inputs.begin(), sample.inputs.end(), is_real) &&
         std::any_of(outputs.begin(), outputs.end(), is_real);
}

std::string check_finite_differences(const Op& op, const Sample& given, int flipped) {
  constexpr double kStep = 1e-6, kTolerance = 2e-6;
  const Problem problem = make_problem(op, promoted(given), node_gradient);
  const std::vector<std::vector<double>> gradients = gradients_of(problem);
  for (size_t k = 0; k < problem.operands.size(); ++k) {
    const size_t position = problem.positions[k];
    const std::vector<double> direction = to_doubles(random_tensor(problem.inputs[position].type(), k));
    double expected = objective(problem, position, direction, kStep);
    expected = (expected - objective(problem, position, direction, -kStep)) / (2 * kStep);
    double found = 0, scale = 1;
    for (size_t i = 0; i < direction.size(); ++i) {
      found += gradients[k][i] * direction[i];
      scale += std::fabs(gradients[k][i] * direction[i]);
    }
    if (problem.operands[k] == flipped) found = -found;
    if (!(std::fabs(found - expected) <= kTolerance * scale))
      return concat(op.name, ", sample ", given.name, ", operand ", problem.operands[k], ": the vjp gives ",
                    found, ", finite differences give ", expected);
  }
  return {};
}

std::string check_decomposition(const Op& op, const Sample& given) {
  constexpr double kTolerance = 1e-9;
  const Sample sample = promoted(given);
  const std::vector<std::vector<double>> own = gradients_of(make_problem(op, sample, node_gradient));
  const Problem problem = make_problem(op, sample, decomposition_gradient);
  const std::vector<std::vector<double>> inherited = gradients_of(problem);
  for (size_t k = 0; k < own.size(); ++k) {
    double scale = 1;
    for (double value : inherited[k]) scale = std::max(scale, std::fabs(value));
    for (size_t i = 0; i < own[k].size(); ++i) {
      if (!(std::fabs(own[k][i] - inherited[k][i]) <= kTolerance * scale))
        return concat(op.name, ", sample ", given.name, ", operand ", problem.operands[k], " at ", i,
                      ": the vjp gives ", own[k][i], ", the decomposition's derivative ", inherited[k][i]);
    }
  }
  return {};
}

std::vector<int> operands_with_gradient(const Op& op, const Sample& given) {
  const Problem problem = make_problem(op, promoted(given), node_gradient);
  const std::vector<std::vector<double>> gradients = gradients_of(problem);
  std::vector<int> operands;
  for (size_t k = 0; k < gradients.size(); ++k) {
    if (std::any_of(gradients[k].begin(), gradients[k].end(), [](double v) { return v != 0; }))
      operands.push_back(problem.operands[k]);
  }
  return operands;
}

}  // namespace temper
