#include <cstdio>
#include <vector>

#include "temper/tensor.h"

int main() {
  const std::vector<double> values{1, 2, 3, 4};
  const temper::Tensor tensor = temper::from_doubles({temper::DType::f16, {2, 2}}, values);
  std::printf("%lld elements, %lld bytes\n", (long long)tensor.elements(), (long long)tensor.bytes());
  return temper::to_doubles(tensor) == values ? 0 : 1;
}
