#include "ops/samples.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/philox.h"

namespace temper {
namespace {

double unit(uint32_t word) { return (word + 0.5) / 4294967296.0; }  // in (0, 1)

PhiloxKey key_of(const Op& op, const Sample& sample, size_t input) {
  PhiloxKey key{};
  for (std::string_view text : {op.name, std::string_view(sample.name)}) {
    for (char c : text) key = fold_in(key, static_cast<unsigned char>(c));
  }
  return fold_in(key, input);
}

PhiloxCounter words(PhiloxKey key, uint64_t index) {
  return philox({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), 0, kPhiloxBits}, key);
}

std::vector<double> permutation(PhiloxKey key, int64_t count) {
  std::vector<double> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = (static_cast<double>(i) - std::floor(static_cast<double>(count) / 2)) / 8;
  for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random_word(key, i) % i]);
  return values;
}

double draw(const Fill& fill, const PhiloxCounter& words) {
  switch (fill.kind) {
    case Fill::normal:
      return fill.low + 1 +
             fill.high * std::sqrt(-2 * std::log(unit(words[0]))) *
                 std::cos(2 * std::numbers::pi * unit(words[1]));
    case Fill::uniform:
      return fill.low + (fill.high - fill.low) * unit(words[0]);
    case Fill::integers:
      return std::floor(fill.low + (fill.high - fill.low) * unit(words[0]));
    default:
      return fill.low;
  }
}

Tensor make_input(const Fill& fill, const Type& type, PhiloxKey key) {
  const int64_t count = type.shape.elements();
  std::vector<double> values;
  if (fill.kind == Fill::distinct) {
    values = permutation(key, count);
    if (!is_float(type.dtype)) {
      for (double& value : values) value *= 8;  // stay distinct
    }
  } else {
    for (int64_t i = 0; i < count; ++i) values.push_back(draw(fill, words(key, static_cast<uint64_t>(i))));
  }
  if (is_float(type.dtype)) return from_doubles(type, values);
  std::vector<int64_t> integers;
  for (double value : values) {
    const bool truth = type.dtype == DType::boolean && fill.kind == Fill::normal;
    integers.push_back(static_cast<int64_t>(truth ? value > 0 : value));
  }
  return from_int64s(type, integers);
}

bool present(const Sample& sample, size_t input) { return sample.present.empty() || sample.present[input]; }

}  // namespace

Graph sample_graph(const Op& op, const Sample& sample) {
  Graph graph;
  Builder b(graph);
  std::vector<Value> inputs;
  for (size_t i = 0; i < sample.inputs.size(); ++i)
    inputs.push_back(present(sample, i) ? b.input(concat("x", i), sample.inputs[i]) : Value{});
  const std::vector<Value> results = b.emit_all(op, inputs, sample.attributes, {}, sample.regions);
  for (size_t i = 0; i < results.size(); ++i) b.output(concat("y", i), results[i]);
  return graph;
}

std::vector<Tensor> sample_inputs(const Op& op, const Sample& sample) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < sample.inputs.size(); ++i) {
    if (!present(sample, i)) continue;
    const Fill fill = sample.fills.empty() ? Fill{} : sample.fills[std::min(i, sample.fills.size() - 1)];
    inputs.push_back(make_input(fill, sample.inputs[i], key_of(op, sample, i)));
  }
  return inputs;
}

}  // namespace temper
