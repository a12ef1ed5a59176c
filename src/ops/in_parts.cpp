// A region over parts of a batch: a scan whose rounds know nothing of each other.
#include "ops/composite.h"
#include "ops/regions.h"

namespace temper {
namespace {

struct Counts {
  size_t cut, joined;
  int64_t parts;
};

Counts counts_of(const Attributes& attributes) {
  return {static_cast<size_t>(attributes.get<int64_t>("cut")),
          static_cast<size_t>(attributes.get<int64_t>("joined")), attributes.get<int64_t>("parts")};
}

std::vector<Type> infer_in_parts(const InferContext& c) {
  expect_regions(c, 1);
  expect_inputs(c, c.inputs.size());
  const Graph& body = c.regions[0];
  const auto cut = c.attributes.get<int64_t>("cut"), joined = c.attributes.get<int64_t>("joined"),
             parts = c.attributes.get<int64_t>("parts");
  if (parts < 1 || cut < 0 || cut > static_cast<int64_t>(c.inputs.size()) || joined < 0 ||
      joined > static_cast<int64_t>(body.outputs.size()))
    c.fail(concat("parts ", parts, ", cut ", cut, ", joined ", joined, " do not fit"));
  if (body.inputs.size() != c.inputs.size())
    c.fail(concat("the body takes ", body.inputs.size(), " values, found ", c.inputs.size()));
  const auto whole = [&](Type type) {
    if (type.shape.rank() < 1 || !type.shape[0].is_static())
      c.fail(concat("no parts along the first axis of ", to_string(type)));
    type.shape[0] = type.shape.size(0) * parts;
    return type;
  };
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    const Type& inner = body.type(body.inputs[i].value);
    const Type wanted = i < static_cast<size_t>(cut) ? whole(inner) : inner;
    if (wanted != c.inputs[i])
      c.fail(concat("operand ", i, " must be ", to_string(wanted), ", found ", to_string(c.inputs[i])));
  }
  std::vector<Type> types = region_outputs(body);
  for (size_t i = 0; i < types.size(); ++i) {
    if (i < static_cast<size_t>(joined)) {
      types[i] = whole(types[i]);
    } else if (!is_float(types[i].dtype)) {
      c.fail(concat("result ", i, " is added up and must be of floats, is ", to_string(types[i])));
    }
  }
  return types;
}

// [parts n, ...] as [parts, n, ...]
Value by_part(Builder& b, Value x, int64_t parts) {
  const Shape from = b.shape(x);
  Shape to{parts, from.size(0) / parts};
  for (int axis = 1; axis < from.rank(); ++axis) to.push_back(from[axis]);
  return ops::reshape(b, x, to);
}

std::vector<Value> decompose_in_parts(Builder& b, const NodeView& view) {
  const Counts counts = counts_of(view.attributes());
  std::vector<Value> xs, captured;
  for (size_t i = 0; i < view.inputs.size(); ++i) {
    if (i < counts.cut)
      xs.push_back(by_part(b, view.inputs[i], counts.parts));
    else
      captured.push_back(view.inputs[i]);
  }
  std::vector<Value> results =
      ops::scan(b, view.node.regions[0], {}, std::move(xs), std::move(captured), counts.parts, false);
  for (size_t i = 0; i < results.size(); ++i)
    results[i] = i < counts.joined ? ops::reshape(b, results[i], view.node.outputs[i].shape)
                                   : ops::reduce_sum(b, results[i], {0});
  return results;
}

// Rows of [n, 3] by a weight, their squares and the sums of both.
Graph products(int64_t rows) {
  Graph body;
  Builder b(body);
  const Value x = b.input("x", f32({rows, 3})), y = b.input("y", f32({rows, 2})),
              w = b.input("w", f32({3, 2}));
  const Value product = ops::add(b, ops::matmul(b, x, w), y);
  b.output("product", product);
  b.output("sum", ops::reshape(b, ops::reduce_sum(b, product, {0}), {1, 2}));
  b.output("gradient", ops::matmul(b, ops::transpose(b, x, {1, 0}), product));
  return body;
}

Sample products_sample(std::string_view name, int64_t rows, int64_t parts) {
  return {.name = std::string(name),
          .inputs = {f32({rows, 3}), f32({rows, 2}), f32({3, 2})},
          .attributes = {{"cut", integer(2)}, {"joined", integer(2)}, {"parts", integer(parts)}},
          .regions = {products(rows / parts)}};
}

std::vector<Sample> in_parts_samples() {
  return {products_sample("rows", 8, 8), products_sample("pairs", 12, 6), products_sample("one part", 5, 1)};
}

}  // namespace

const Op in_parts_op{
    .name = "in_parts",
    .primitive = false,
    .summary =
        "the region for each of `parts` equal parts along axis 0 of the first `cut` operands "
        "and for the whole of the rest; its first `joined` results are joined along axis 0, "
        "the rest are added up",
    .infer = infer_in_parts,
    .decompose = decompose_in_parts,
    .samples = in_parts_samples};

namespace ops {

std::vector<Value> in_parts(Builder& b, Graph body, std::vector<Value> cut, std::vector<Value> captured,
                            int64_t joined, int64_t parts) {
  const Attributes attributes{{"cut", integer(static_cast<int64_t>(cut.size()))},
                              {"joined", integer(joined)},
                              {"parts", integer(parts)}};
  std::vector<Value> operands = std::move(cut);
  operands.insert(operands.end(), captured.begin(), captured.end());
  std::vector<Graph> regions;
  regions.push_back(std::move(body));
  return b.emit_all(in_parts_op, std::move(operands), attributes, {}, std::move(regions));
}

}  // namespace ops
}  // namespace temper
