// An op of one's own: softsign(x) = x / (1 + |x|), with its gradient 1 / (1 + |x|)^2.
#include <temper/temper.h>

#include <cmath>
#include <cstdio>

using namespace temper;

int main() {
  const AppliedOp softsign = define_op({
      .name = "softsign",
      .forward = [](const auto& inputs) { return std::vector{inputs[0] / (abs(inputs[0]) + 1)}; },
      .backward =
          [](const auto& inputs, const auto& gradients) {
            const Expression below = abs(inputs[0]) + 1;
            return std::vector{gradients[0] / (below * below)};
          },
  });

  Function function;
  const Expression x = function.input("x", {DType::f32, {3}});
  const Expression y = softsign({x})[0];
  function.output("y", y);
  function.output("slope", gradient(y, {x})[0]);
  std::printf("%s\n", function.text().c_str());

  const std::vector<float> points = {-2, 0, 3};
  const std::vector<Tensor> results = function({Tensor::from<float>({3}, points)});
  bool right = true;
  for (size_t i = 0; i < points.size(); ++i) {
    const float value = results[0].values<float>()[i], slope = results[1].values<float>()[i];
    const float below = 1 + std::fabs(points[i]);
    std::printf("softsign(%4.1f) = %7.4f, slope %6.4f\n", points[i], value, slope);
    right = right && std::fabs(value - points[i] / below) < 1e-6F &&
            std::fabs(slope - 1 / (below * below)) < 1e-6F;
  }
  return right ? 0 : 1;
}
