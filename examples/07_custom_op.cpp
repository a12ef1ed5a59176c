// An op of one's own: softsign(x) = x / (1 + |x|), defined by its decomposition, with a gradient in closed form.
#include <temper/temper.h>

#include <cmath>
#include <cstdio>

using namespace temper;

static std::vector<Type> infer(const InferContext& context) {
  if (context.inputs.size() != 1 || !is_float(context.inputs[0].dtype)) context.fail("takes one float tensor");
  return {context.inputs[0]};
}

static std::vector<Value> decompose(Builder& b, const NodeView& node) {
  const Value x = node.inputs[0];
  return {ops::div(b, x, ops::add(b, ops::abs(b, x), 1))};
}

// 1 / (1 + |x|)^2
static std::vector<Value> vjp(Builder& b, const VjpContext& context) {
  const Value below = ops::add(b, ops::abs(b, context.inputs[0]), 1);
  return {ops::div(b, context.cotangents[0], ops::mul(b, below, below))};
}

static std::vector<Sample> samples() { return {{.name = "vector", .inputs = {{DType::f32, {7}}}}}; }

static const Op softsign{.name = "softsign",
                         .primitive = false,
                         .summary = "y = x / (1 + |x|)",
                         .infer = infer,
                         .decompose = decompose,
                         .vjp = vjp,
                         .samples = samples};

int main() {
  register_devices();
  register_op(softsign);

  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {3}});
  const Value y = b.emit(softsign, {x});
  b.output("y", y);
  b.output("slope", gradient(b, y, {&x, 1})[0]);

  const std::vector<float> points = {-2, 0, 3};
  const std::vector<Tensor> results = run_once(open_device("cpu"), graph, {Tensor::from<float>({3}, points)});
  bool right = true;
  for (size_t i = 0; i < points.size(); ++i) {
    const float value = results[0].values<float>()[i], slope = results[1].values<float>()[i];
    const float below = 1 + std::fabs(points[i]);
    std::printf("softsign(%4.1f) = %7.4f, slope %6.4f\n", points[i], value, slope);
    right = right && std::fabs(value - points[i] / below) < 1e-6F && std::fabs(slope - 1 / (below * below)) < 1e-6F;
  }
  return right ? 0 : 1;
}
