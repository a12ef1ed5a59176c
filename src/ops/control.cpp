// Ops with regions: call, cond, while_loop; and those between programs: all_reduce, barrier. scan has its own
// file.
#include "ops/reduction.h"
#include "ops/regions.h"

namespace temper {
namespace {

std::vector<Type> infer_call(const InferContext& c) {
  expect_regions(c, 1);
  expect_inputs(c, c.regions[0].inputs.size());
  expect_region_inputs(c, 0, 0);
  return region_outputs(c.regions[0]);
}

std::vector<Array> evaluate_call(const EvaluateContext& c) {
  return c.run_region(c.node.regions[0], c.inputs);
}

// Which operands from `first` on want a gradient, which outputs have one, and the call's operands for both.
struct Flow {
  std::vector<bool> given, wanted;
  std::vector<Value> operands;
};

Flow flow_of(const VjpContext& c, size_t first) {
  Flow flow;
  for (size_t i = first; i < c.inputs.size(); ++i) {
    flow.wanted.push_back(ops::needed(c, i));
    flow.operands.push_back(c.inputs[i]);
  }
  for (Value cotangent : c.cotangents) {
    flow.given.push_back(static_cast<bool>(cotangent));
    if (cotangent) flow.operands.push_back(cotangent);
  }
  return flow;
}

std::vector<Value> spread(const VjpContext& c, const std::vector<Value>& gradients) {
  std::vector<Value> result(c.inputs.size());
  size_t next = 0;
  for (size_t i = 0; i < result.size(); ++i) {
    if (ops::needed(c, i)) result[i] = gradients[next++];
  }
  return result;
}

// Computes the body again. Who would rather keep what it computed inlines the call before.
std::vector<Value> vjp_call(Builder& b, const VjpContext& c) {
  const Flow flow = flow_of(c, 0);
  Graph body = gradient_region(c.node.regions[0], flow.given, flow.wanted, c.region_gradient);
  return spread(c, ops::call(b, std::move(body), flow.operands));
}

std::vector<Type> infer_cond(const InferContext& c) {
  expect_regions(c, 2);
  if (c.inputs.empty() || c.inputs[0] != boolean({}))
    c.fail("expected a boolean scalar as the first operand");
  expect_inputs(c, c.inputs.size());
  for (size_t region : {size_t{0}, size_t{1}}) expect_region_inputs(c, region, 1);
  if (region_outputs(c.regions[0]) != region_outputs(c.regions[1]))
    c.fail("the two regions give different types");
  return region_outputs(c.regions[0]);
}

std::vector<Array> evaluate_cond(const EvaluateContext& c) {
  return c.run_region(c.node.regions[c.inputs[0]->ints[0] ? 0 : 1], c.inputs.subspan(1));
}

// Both regions' gradients under the same predicate.
std::vector<Value> vjp_cond(Builder& b, const VjpContext& c) {
  const Flow flow = flow_of(c, 1);
  Graph on_true = gradient_region(c.node.regions[0], flow.given, flow.wanted, c.region_gradient);
  Graph on_false = gradient_region(c.node.regions[1], flow.given, flow.wanted, c.region_gradient);
  return spread(c, ops::cond(b, c.inputs[0], std::move(on_true), std::move(on_false), flow.operands));
}

std::vector<Type> infer_while(const InferContext& c) {
  expect_regions(c, 2);
  expect_inputs(c, c.inputs.size());
  for (size_t region : {size_t{0}, size_t{1}}) expect_region_inputs(c, region, 0);
  if (region_outputs(c.regions[0]) != std::vector<Type>{boolean({})})
    c.fail("the condition must give a boolean scalar");
  const auto carries = c.attributes.get<int64_t>("carries");
  const std::vector<Type> types = region_outputs(c.regions[1]);
  if (carries < 0 || carries > static_cast<int64_t>(c.inputs.size()) ||
      types != std::vector<Type>(c.inputs.begin(), c.inputs.begin() + carries))
    c.fail(concat("the body must give the types of the ", carries, " carries it takes"));
  return types;
}

std::vector<Array> evaluate_while(const EvaluateContext& c) {
  const auto carries = static_cast<size_t>(c.node.attributes.get<int64_t>("carries"));
  std::vector<Array> state;
  for (size_t i = 0; i < carries; ++i) state.push_back(*c.inputs[i]);
  for (;;) {
    std::vector<const Array*> arguments = pointers(state);
    arguments.insert(arguments.end(), c.inputs.begin() + static_cast<int64_t>(carries), c.inputs.end());
    if (!c.run_region(c.node.regions[0], arguments)[0].ints[0]) return state;
    state = c.run_region(c.node.regions[1], arguments);
  }
}

int64_t replicas_of(const Attributes& attributes) { return attributes.get_or<int64_t>("replicas", 1); }

std::vector<Type> infer_all_reduce(const InferContext& c) {
  expect_inputs(c, 1);
  infer_reduction(c);
  if (replicas_of(c.attributes) < 1) c.fail("replicas must be at least 1");
  return {c.inputs[0]};
}

std::vector<Type> infer_barrier(const InferContext& c) {
  expect_inputs(c, 1);
  return {c.inputs[0]};
}

std::vector<Array> evaluate_identity(const EvaluateContext& c) { return {*c.inputs[0]}; }

// Each replica's loss depends on every x through the sum.
std::vector<Value> vjp_all_reduce(Builder& b, const VjpContext& c) {
  const auto& kind = c.node.attributes.get<std::string>("kind");
  if (kind != "sum")
    throw Error(ErrorKind::unsupported,
                concat("no gradient through an all_reduce of kind ", kind, ": only through sum"));
  return {ops::all_reduce(b, c.cotangents[0], "sum", replicas_of(c.node.attributes))};
}

std::vector<Value> vjp_barrier(Builder& b, const VjpContext& c) { return {ops::barrier(b, c.cotangents[0])}; }

// y0 = tanh(x) * w, y1 = x + w
Graph first_region() {
  Graph body;
  Builder b(body);
  const Value x = b.input("x", f32({2, 3})), w = b.input("w", f32({2, 3}));
  b.output("y0", ops::mul(b, ops::tanh(b, x), w));
  b.output("y1", ops::add(b, x, w));
  return body;
}

// y0 = x, y1 = w * w
Graph second_region() {
  Graph body;
  Builder b(body);
  const Value x = b.input("x", f32({2, 3})), w = b.input("w", f32({2, 3}));
  b.output("y0", x);
  b.output("y1", ops::mul(b, w, w));
  return body;
}

// y = w * x[i] and an integer passed through: not every operand has a gradient.
Graph mixed_region() {
  Graph body;
  Builder b(body);
  const Value x = b.input("x", f32({4})), i = b.input("i", i64({})), w = b.input("w", f32({}));
  b.output("y", ops::mul(b, w, ops::take(b, x, i, 0)));
  b.output("i", ops::add(b, i, 1));
  return body;
}

std::vector<Sample> call_samples() {
  const std::vector<Fill> mixed{{}, integers(0, 4), {}};
  return {{.name = "two results", .inputs = {f32({2, 3}), f32({2, 3})}, .regions = {first_region()}},
          {.name = "an integer beside",
           .inputs = {f32({4}), i64({}), f32({})},
           .fills = mixed,
           .regions = {mixed_region()}}};
}

std::vector<Sample> cond_samples() {
  const std::vector<Type> inputs{boolean({}), f32({2, 3}), f32({2, 3})};
  return {
      {.name = "true", .inputs = inputs, .fills = {all(1), {}}, .regions = {first_region(), second_region()}},
      {.name = "false",
       .inputs = inputs,
       .fills = {all(0), {}},
       .regions = {first_region(), second_region()}}};
}

// while i < n: x = x * w, i = i + 1
Sample while_sample(std::string_view name, double rounds) {
  Graph condition, body;
  Builder c(condition), b(body);
  const auto inputs = [](Builder& builder) {
    return std::vector<Value>{builder.input("i", i64({})), builder.input("x", f32({3})),
                              builder.input("n", i64({})), builder.input("w", f32({3}))};
  };
  const std::vector<Value> in_condition = inputs(c), in_body = inputs(b);
  c.output("more", ops::compare(c, in_condition[0], in_condition[2], "lt"));
  b.output("i", ops::add(b, in_body[0], 1));
  b.output("x", ops::mul(b, in_body[1], in_body[3]));
  return {.name = std::string(name),
          .inputs = {i64({}), f32({3}), i64({}), f32({3})},
          .attributes = {{"carries", integer(2)}},
          .fills = {all(0), {}, all(rounds), {}},
          .regions = {condition, body}};
}

std::vector<Sample> while_samples() { return {while_sample("five rounds", 5), while_sample("no round", 0)}; }

std::vector<Sample> all_reduce_samples() {
  std::vector<Sample> samples;
  for (const Type& type : {f32({3, 5}), f64({4}), f16({7}), i32({5})})
    samples.push_back({.name = concat("sum ", to_string(type)),
                       .inputs = {type},
                       .attributes = {{"kind", word("sum")}},
                       .fills = {is_float(type.dtype) ? Fill{} : integers(-9, 9)}});
  return samples;
}

std::vector<Sample> barrier_samples() {
  return map_samples(1, {}) + integer_samples(1, {}, {DType::boolean});
}

}  // namespace

const Op call_op{.name = "call",
                 .summary = "the results of the region for the operands: a block that is shared",
                 .infer = infer_call,
                 .evaluate = evaluate_call,
                 .vjp = vjp_call,
                 .samples = call_samples};

const Op cond_op{.name = "cond",
                 .summary = "the results of the first region if the predicate holds, else of the second",
                 .infer = infer_cond,
                 .evaluate = evaluate_cond,
                 .vjp = vjp_cond,
                 .samples = cond_samples};

const Op while_loop_op{
    .name = "while_loop",
    .summary =
        "the first `carries` operands, replaced by the second region's results as long as the first "
        "region holds",
    .infer = infer_while,
    .evaluate = evaluate_while,
    .no_gradient = "how often it runs is known only while it runs: use scan",
    .samples = while_samples};

const Op all_reduce_op{.name = "all_reduce",
                       .summary = "y = the x of all `replicas` folded by `kind`; gradient for sum",
                       .infer = infer_all_reduce,
                       .evaluate = evaluate_identity,
                       .vjp = vjp_all_reduce,
                       .samples = all_reduce_samples,
                       .random_or_effect = true};

const Op barrier_op{.name = "barrier",
                    .summary = "y = x; nothing is moved or merged across it",
                    .infer = infer_barrier,
                    .evaluate = evaluate_identity,
                    .vjp = vjp_barrier,
                    .samples = barrier_samples,
                    .random_or_effect = true};

namespace ops {

static std::vector<Graph> regions(Graph first, Graph second) {
  std::vector<Graph> both;
  both.push_back(std::move(first));
  both.push_back(std::move(second));
  return both;
}

std::vector<Value> call(Builder& b, Graph body, std::vector<Value> operands) {
  return b.emit_all(call_op, std::move(operands), {}, {}, {std::move(body)});
}

std::vector<Value> cond(Builder& b, Value predicate, Graph on_true, Graph on_false,
                        std::vector<Value> operands) {
  operands.insert(operands.begin(), predicate);
  return b.emit_all(cond_op, std::move(operands), {}, {}, regions(std::move(on_true), std::move(on_false)));
}

std::vector<Value> while_loop(Builder& b, Graph condition, Graph body, std::vector<Value> carries,
                              std::vector<Value> captured) {
  const Attributes attributes{{"carries", integer(static_cast<int64_t>(carries.size()))}};
  carries.insert(carries.end(), captured.begin(), captured.end());
  return b.emit_all(while_loop_op, std::move(carries), attributes, {},
                    regions(std::move(condition), std::move(body)));
}

Value all_reduce(Builder& b, Value x, std::string_view kind, int64_t replicas) {
  Attributes attributes{{"kind", word(kind)}};
  if (replicas != 1) attributes.set("replicas", integer(replicas));
  return b.emit(all_reduce_op, {x}, std::move(attributes));
}

Value barrier(Builder& b, Value x) { return b.emit(barrier_op, {x}); }

}  // namespace ops
}  // namespace temper
