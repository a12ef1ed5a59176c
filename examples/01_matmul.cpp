// Multiplies two matrices on the device named on the command line, and checks one element by hand.
#include <temper/temper.h>

#include <cmath>
#include <cstdio>

using namespace temper;

// sin(scale * i): numbers that anyone can make again
static Tensor waves(const Shape& shape, double scale) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(std::sin(scale * static_cast<double>(i)));
  return Tensor::from<float>(shape, values);
}

int main(int count, char** words) {
  const char* device = count > 1 ? words[1] : "cpu";

  Function multiply;
  const Expression x = multiply.input("x", {DType::f32, {256, 512}});
  const Expression y = multiply.input("y", {DType::f32, {512, 128}});
  multiply.output("product", matmul(x, y));

  const Tensor left = waves({256, 512}, 0.01), right = waves({512, 128}, 0.02);
  const Tensor product = multiply({left, right}, device)[0];

  double expected = 0;  // row 3, column 5
  for (size_t k = 0; k < 512; ++k)
    expected += static_cast<double>(left.values<float>()[3 * 512 + k]) * right.values<float>()[k * 128 + 5];
  const double found = product.values<float>()[3 * 128 + 5];
  std::printf("%s on %s: product[3, 5] = %.5f, by hand %.5f\n", to_string(product.type()).c_str(), device,
              found, expected);
  return std::fabs(found - expected) < 1e-3 ? 0 : 1;
}
