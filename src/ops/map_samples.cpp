#include "ops/map.h"

namespace temper {

std::vector<Sample> map_samples(size_t operands, const std::vector<Fill>& fills) {
  const std::vector<std::pair<std::string, Type>> cases{
      {"matrix", f32({3, 5})},         {"scalar", f32({})},   {"tail", f32({37})},  {"empty", f32({0, 4})},
      {"rank5", f32({2, 1, 3, 2, 2})}, {"long", f32({1031})}, {"f64", f64({4, 3})}, {"f16", f16({5, 7})},
      {"bf16", bf16({5, 7})}};
  std::vector<Sample> samples;
  for (const auto& [name, type] : cases)
    samples.push_back({.name = name, .inputs = std::vector<Type>(operands, type), .fills = fills});
  return samples;
}

std::vector<Sample> integer_samples(size_t operands, const std::vector<Fill>& fills,
                                    std::initializer_list<DType> dtypes) {
  std::vector<Sample> samples;
  for (DType dtype : dtypes) {
    const Type type{dtype, {3, 7}};
    samples.push_back(
        {.name = std::string(to_string(dtype)), .inputs = std::vector<Type>(operands, type), .fills = fills});
  }
  return samples;
}

std::vector<Sample> operator+(std::vector<Sample> a, const std::vector<Sample>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace temper
