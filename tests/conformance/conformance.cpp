#include "conformance.h"

#include <cmath>

#include "base/text.h"
#include "ops/interpreter/interpret.h"
#include "ops/samples.h"
#include "runtime/compile.h"
#include "tensor/compare.h"

namespace temper {

double tolerance_of(const Sample& sample, DType dtype) {
  if (!is_float(dtype)) return 0;
  if (sample.tolerance > 0) return sample.tolerance;
  switch (dtype) {
    case DType::f64:
      return 1e-12;
    case DType::f32:
      return 1e-5;
    case DType::f16:
      return 2e-3;
    default:
      return 1.6e-2;
  }
}

static std::string compare(const Sample& sample, const Tensor& found, const Tensor& expected) {
  if (found.type() != expected.type())
    return concat("the type is ", to_string(found.type()), ", expected ", to_string(expected.type()));
  double largest = 0;
  for (double value : to_doubles(expected)) {
    if (std::isfinite(value)) largest = std::max(largest, std::fabs(value));
  }
  std::string why;
  return close(found, expected, 0, tolerance_of(sample, expected.dtype()) * largest, &why) ? "" : why;
}

std::string compare(const Sample& sample, const std::vector<Tensor>& found,
                    const std::vector<Tensor>& expected) {
  if (found.size() != expected.size()) return concat(found.size(), " results, expected ", expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const std::string why = compare(sample, found[i], expected[i]);
    if (!why.empty()) return concat("result ", i, ": ", why);
  }
  return {};
}

std::vector<Tensor> run_sample(Device& device, const Op& op, const Sample& sample) {
  return run_once(device, sample_graph(op, sample), sample_inputs(op, sample));
}

std::vector<std::vector<Tensor>> run_together(Device& device, const Op& op,
                                              const std::vector<Sample>& samples) {
  Graph all;
  Builder b(all);
  std::vector<Tensor> inputs;
  std::vector<size_t> counts;
  for (const Sample& sample : samples) {
    const Graph one = sample_graph(op, sample);
    std::vector<Value> own;
    for (const Port& input : one.inputs)
      own.push_back(b.input(concat(counts.size(), ".", input.name), one.type(input.value)));
    for (const Value result : inline_graph(b, one, own)) b.output(concat("y", all.outputs.size()), result);
    for (Tensor& input : sample_inputs(op, sample)) inputs.push_back(std::move(input));
    counts.push_back(one.outputs.size());
  }
  std::vector<Tensor> results = run_once(device, all, std::move(inputs));
  std::vector<std::vector<Tensor>> by_sample;
  auto next = results.begin();
  for (const size_t count : counts) {
    by_sample.emplace_back(next, next + static_cast<int64_t>(count));
    next += static_cast<int64_t>(count);
  }
  return by_sample;
}

std::vector<Tensor> reference(const Op& op, const Sample& sample) {
  return interpret(sample_graph(op, sample), sample_inputs(op, sample));
}

}  // namespace temper
