// The loop whose length is known: the only one with a gradient.
#include "ops/regions.h"

namespace temper {
namespace {

struct Counts {
  size_t carries, xs;
};

Counts counts_of(const Attributes& attributes) {
  return {static_cast<size_t>(attributes.get<int64_t>("carries")),
          static_cast<size_t>(attributes.get<int64_t>("xs"))};
}

Type stacked(const Type& slice, int64_t length) {
  Type type{slice.dtype, {length}};
  for (const Dim& dim : slice.shape) type.shape.push_back(dim);
  return type;
}

void expect_body_inputs(const InferContext& c, const Counts& counts, int64_t length) {
  const Graph& body = c.regions[0];
  if (body.inputs.size() != c.inputs.size())
    c.fail(concat("the body takes ", body.inputs.size(), " values, found ", c.inputs.size()));
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    const Type& inner = body.type(body.inputs[i].value);
    const bool sliced = i >= counts.carries && i < counts.carries + counts.xs;
    if ((sliced ? stacked(inner, length) : inner) != c.inputs[i])
      c.fail(concat("operand ", i, " must be ", to_string(sliced ? stacked(inner, length) : inner),
                    ", found ", to_string(c.inputs[i])));
  }
}

std::vector<Type> infer_scan(const InferContext& c) {
  expect_regions(c, 1);
  expect_inputs(c, c.inputs.size());
  const auto length = c.attributes.get<int64_t>("length"), carries = c.attributes.get<int64_t>("carries"),
             xs = c.attributes.get<int64_t>("xs"), operands = static_cast<int64_t>(c.inputs.size());
  c.attributes.get<bool>("reverse");
  if (length < 0 || carries < 0 || xs < 0 || carries > operands || xs > operands - carries)
    c.fail(
        concat("length ", length, ", carries ", carries, ", xs ", xs, " do not fit ", operands, " operands"));
  const Counts counts = counts_of(c.attributes);
  expect_body_inputs(c, counts, length);
  std::vector<Type> types = region_outputs(c.regions[0]);
  if (types.size() < counts.carries)
    c.fail(concat("the body gives fewer results than its ", carries, " carries"));
  for (size_t i = 0; i < types.size(); ++i) {
    if (i >= counts.carries) {
      types[i] = stacked(types[i], length);
    } else if (types[i] != c.inputs[i]) {
      c.fail(concat("carry ", i, " goes in as ", to_string(c.inputs[i]), " and comes out as ",
                    to_string(types[i])));
    }
  }
  return types;
}

Array slice_of(const Array& x, int64_t index) {
  Shape shape(std::vector<Dim>(x.type.shape.begin() + 1, x.type.shape.end()));
  const int64_t elements = shape.elements();
  return strided({x.type.dtype, shape}, x, index * elements, row_major_strides(shape.sizes()));
}

void put_slice(const Array& slice, Array& y, int64_t index) {
  const int64_t elements = count(slice);
  for (int64_t i = 0; i < elements; ++i) copy_element(slice, i, y, index * elements + i);
}

std::vector<Array> evaluate_scan(const EvaluateContext& c) {
  const Counts counts = counts_of(c.node.attributes);
  const auto length = c.node.attributes.get<int64_t>("length");
  const bool reverse = c.node.attributes.get<bool>("reverse");
  std::vector<Array> results;
  for (size_t i = 0; i < c.outputs.size(); ++i)
    results.push_back(i < counts.carries ? *c.inputs[i] : make_array(c.outputs[i]));
  for (int64_t step = 0; step < length; ++step) {
    const int64_t at = reverse ? length - 1 - step : step;
    std::vector<Array> slices;
    for (size_t i = 0; i < counts.xs; ++i) slices.push_back(slice_of(*c.inputs[counts.carries + i], at));
    std::vector<const Array*> arguments(c.inputs.begin(), c.inputs.end());
    for (size_t i = 0; i < counts.carries; ++i) arguments[i] = &results[i];
    for (size_t i = 0; i < counts.xs; ++i) arguments[counts.carries + i] = &slices[i];
    std::vector<Array> outputs = c.run_region(c.node.regions[0], arguments);
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (i < counts.carries) {
        results[i] = std::move(outputs[i]);
      } else {
        put_slice(outputs[i], results[i], at);
      }
    }
  }
  return results;
}

// The gradient runs the loop forward once more, keeping the carries that went into each step, then backward:
// a scan that carries the cotangents of the carries and the sums for what is captured.
class ScanGradient {
 public:
  ScanGradient(Builder& b, const VjpContext& c)
      : b_(b), c_(c), counts_(counts_of(c.node.attributes)), body_(c.node.regions[0]) {
    for (size_t i = 0; i < c.inputs.size(); ++i) {
      const bool carry = i < counts_.carries, real = is_float(b.dtype(c.inputs[i]));
      wanted_.push_back(real && (carry || ops::needed(c, i)));
    }
    for (size_t i = 0; i < c.outputs.size(); ++i)
      given_.push_back(i < counts_.carries ? wanted_[i] : static_cast<bool>(c.cotangents[i]));
  }

  std::vector<Value> gradients() {
    const std::vector<Value> results =
        ops::scan(b_, backward_body(), start(), slices(), captured(), length(), !reverse());
    std::vector<Value> gradients(c_.inputs.size());
    size_t next_carry = 0, next_slice = 0;
    for (size_t i = 0; i < wanted_.size(); ++i) carried_ += wanted_[i] && !is_slice(i);
    for (size_t i = 0; i < wanted_.size(); ++i) {
      if (wanted_[i]) gradients[i] = results[is_slice(i) ? carried_ + next_slice++ : next_carry++];
    }
    return gradients;
  }

 private:
  bool is_slice(size_t operand) const {
    return operand >= counts_.carries && operand < counts_.carries + counts_.xs;
  }
  int64_t length() const { return c_.node.attributes.get<int64_t>("length"); }
  bool reverse() const { return c_.node.attributes.get<bool>("reverse"); }

  // Cotangents of the carries as they leave the loop, zeros for what is captured.
  std::vector<Value> start() {
    std::vector<Value> values;
    for (size_t i = 0; i < wanted_.size(); ++i) {
      if (!wanted_[i] || is_slice(i)) continue;
      const Value known = i < counts_.carries ? c_.cotangents[i] : Value{};
      values.push_back(zeros_if_none(b_, known, b_.type(c_.inputs[i])));
    }
    return values;
  }

  // Per step: the carries that went in, the x, the cotangents of the ys.
  std::vector<Value> slices() {
    std::vector<Value> values = history();
    for (size_t i = counts_.carries; i < counts_.carries + counts_.xs; ++i) values.push_back(c_.inputs[i]);
    for (size_t i = counts_.carries; i < given_.size(); ++i) {
      if (given_[i]) values.push_back(c_.cotangents[i]);
    }
    return values;
  }

  std::vector<Value> captured() const {
    return {c_.inputs.begin() + static_cast<int64_t>(counts_.carries + counts_.xs), c_.inputs.end()};
  }

  std::vector<Value> history() {
    Graph keep = body_;
    keep.outputs.resize(counts_.carries);
    for (size_t i = 0; i < counts_.carries; ++i)
      keep.outputs.push_back({concat("before.", i), body_.inputs[i].value});
    const auto at = [&](size_t i) { return c_.inputs.begin() + static_cast<int64_t>(i); };
    std::vector<Value> results =
        ops::scan(b_, std::move(keep), {at(0), at(counts_.carries)},
                  {at(counts_.carries), at(counts_.carries + counts_.xs)}, captured(), length(), reverse());
    results.erase(results.begin(), results.begin() + static_cast<int64_t>(counts_.carries));
    return results;
  }

  // Reorders gradient_region's inputs and outputs to those of a scan, and sums what is captured.
  Graph backward_body() {
    const Graph derivative = gradient_region(body_, given_, wanted_, c_.region_gradient);
    Graph graph;
    Builder b(graph);
    std::vector<Value> forward(wanted_.size()), seeds(given_.size()), sums(wanted_.size());
    const auto input = [&](const Type& type) { return b.input(concat("in", graph.inputs.size()), type); };
    const auto type = [&](size_t i) { return body_.type(body_.inputs[i].value); };
    for (size_t i = 0; i < wanted_.size(); ++i) {
      if (!wanted_[i] || is_slice(i)) continue;
      (i < counts_.carries ? seeds[i] : sums[i]) = input(type(i));
    }
    for (size_t i = 0; i < counts_.carries + counts_.xs; ++i) forward[i] = input(type(i));
    for (size_t i = counts_.carries; i < given_.size(); ++i) {
      if (given_[i]) seeds[i] = input(body_.type(body_.outputs[i].value));
    }
    for (size_t i = counts_.carries + counts_.xs; i < forward.size(); ++i) forward[i] = input(type(i));
    std::vector<Value> arguments = forward;
    for (size_t i = 0; i < seeds.size(); ++i) {
      if (given_[i]) arguments.push_back(seeds[i]);
    }
    const std::vector<Value> gradients = inline_graph(b, derivative, arguments);
    for (const bool slices : {false, true}) {
      size_t next = 0;
      for (size_t i = 0; i < wanted_.size(); ++i) {
        if (!wanted_[i]) continue;
        const Value gradient = gradients[next++];
        if (is_slice(i) == slices)
          b.output(concat("out", graph.outputs.size()), sums[i] ? ops::add(b, sums[i], gradient) : gradient);
      }
    }
    return graph;
  }

  Builder& b_;
  const VjpContext& c_;
  Counts counts_;
  const Graph& body_;
  std::vector<bool> wanted_, given_;
  size_t carried_ = 0;
};

std::vector<Value> vjp_scan(Builder& b, const VjpContext& c) { return ScanGradient(b, c).gradients(); }

// h' = tanh(h * w + x), y = h' * x, beside a counter: an integer among the carries
Graph recurrence() {
  Graph body;
  Builder b(body);
  const Value h = b.input("h", f32({2, 3})), i = b.input("i", i32({})), x = b.input("x", f32({2, 3})),
              w = b.input("w", f32({3}));
  const Value next = ops::tanh(b, ops::add(b, ops::mul(b, h, w), x));
  b.output("h", next);
  b.output("i", ops::add(b, i, 1));
  b.output("y", ops::mul(b, next, x));
  b.output("count", i);
  return body;
}

// h' = h * h - w: no x and no y
Graph iteration() {
  Graph body;
  Builder b(body);
  const Value h = b.input("h", f32({4})), w = b.input("w", f32({4}));
  b.output("h", ops::sub(b, ops::mul(b, h, h), w));
  return body;
}

Sample recurrence_sample(std::string_view name, int64_t length, bool reverse) {
  return {.name = std::string(name),
          .inputs = {f32({2, 3}), i32({}), f32({length, 2, 3}), f32({3})},
          .attributes = {{"carries", integer(2)},
                         {"length", integer(length)},
                         {"reverse", flag(reverse)},
                         {"xs", integer(1)}},
          .fills = {{}, all(5), {}},
          .regions = {recurrence()}};
}

std::vector<Sample> scan_samples() {
  return {recurrence_sample("forward", 5, false),
          recurrence_sample("backward", 4, true),
          recurrence_sample("once", 1, false),
          recurrence_sample("never", 0, false),
          {.name = "carries alone",
           .inputs = {f32({4}), f32({4})},
           .attributes = {{"carries", integer(1)},
                          {"length", integer(3)},
                          {"reverse", flag(false)},
                          {"xs", integer(0)}},
           .fills = {uniform(-1, 1)},
           .regions = {iteration()}}};
}

}  // namespace

const Op scan_op{.name = "scan",
                 .summary =
                     "`length` rounds of the region: (carries, a slice of each of `xs` along axis 0, "
                     "captured) -> (carries, "
                     "a slice of each y); `reverse`: from the last slice",
                 .infer = infer_scan,
                 .evaluate = evaluate_scan,
                 .vjp = vjp_scan,
                 .samples = scan_samples};

namespace ops {

std::vector<Value> scan(Builder& b, Graph body, std::vector<Value> carries, std::vector<Value> xs,
                        std::vector<Value> captured, int64_t length, bool reverse) {
  const Attributes attributes{{"carries", integer(static_cast<int64_t>(carries.size()))},
                              {"length", integer(length)},
                              {"reverse", flag(reverse)},
                              {"xs", integer(static_cast<int64_t>(xs.size()))}};
  std::vector<Value> operands = std::move(carries);
  operands.insert(operands.end(), xs.begin(), xs.end());
  operands.insert(operands.end(), captured.begin(), captured.end());
  std::vector<Graph> regions;
  regions.push_back(std::move(body));
  return b.emit_all(scan_op, std::move(operands), attributes, {}, std::move(regions));
}

}  // namespace ops
}  // namespace temper
