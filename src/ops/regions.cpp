#include "ops/regions.h"

namespace temper {

void expect_region_inputs(const InferContext& c, size_t region, size_t first) {
  const Graph& body = c.regions[region];
  if (body.inputs.size() + first != c.inputs.size())
    c.fail(
        concat("region ", region, " takes ", body.inputs.size(), " values, found ", c.inputs.size() - first));
  for (size_t i = 0; i < body.inputs.size(); ++i) {
    const Type& wanted = body.type(body.inputs[i].value);
    if (wanted != c.inputs[first + i])
      c.fail(concat("region ", region, " expects ", to_string(wanted), " as its value ", i, ", found ",
                    to_string(c.inputs[first + i])));
  }
}

std::vector<Type> region_outputs(const Graph& region) {
  std::vector<Type> types;
  for (const Port& port : region.outputs) types.push_back(region.type(port.value));
  return types;
}

std::vector<const Array*> pointers(const std::vector<Array>& arrays) {
  std::vector<const Array*> result;
  for (const Array& array : arrays) result.push_back(&array);
  return result;
}

Value zeros_if_none(Builder& b, Value value, const Type& type) { return value ? value : ops::zeros(b, type); }

Graph gradient_region(const Graph& region, const std::vector<bool>& given, const std::vector<bool>& wanted,
                      decltype(VjpContext::region_gradient) region_gradient) {
  TEMPER_CHECK(region_gradient, "an op with a region is differentiated by grad only");
  Graph body;
  Builder b(body);
  std::vector<Value> inputs, wrt, seeds;
  for (const Port& port : region.inputs) {
    inputs.push_back(b.input(concat("x", inputs.size()), region.type(port.value)));
    if (wanted[inputs.size() - 1]) wrt.push_back(inputs.back());
  }
  const std::vector<Value> results = inline_graph(b, region, inputs);
  for (size_t i = 0; i < results.size(); ++i)
    seeds.push_back(given[i] ? b.input(concat("dy", i), b.type(results[i])) : Value{});
  const std::vector<Value> gradients = region_gradient(b, results, seeds, wrt);
  for (size_t i = 0; i < wrt.size(); ++i)
    b.output(concat("dx", i), zeros_if_none(b, gradients[i], b.type(wrt[i])));
  return body;
}

}  // namespace temper
