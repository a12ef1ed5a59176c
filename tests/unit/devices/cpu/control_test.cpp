// Control flow, and every sample of the ops that belong to the executor.
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "ops/registry.h"
#include "ops/samples.h"
#include "run.h"

namespace temper {

namespace {

double tolerance(const Sample& sample, DType dtype) {
  const double usual = dtype == DType::f16    ? 2e-3
                       : dtype == DType::bf16 ? 1.6e-2
                       : dtype == DType::f64  ? 1e-12
                                              : 2e-6;
  return std::max(sample.tolerance, usual);
}

}  // namespace

TEST(Samples, OfWhatTheExecutorOwnsAgreeWithTheReference) {
  for (const char* name : {"call", "scan", "cond", "while_loop", "dot_general", "conv_general", "conv2d",
                           "conv_input_grad", "conv_weight_grad"}) {
    EXPECT_FALSE(op(name).samples().empty());
    for (const Sample& sample : op(name).samples()) {
      SCOPED_TRACE(std::string(name) + ": " + sample.name);
      const Graph graph = sample_graph(op(name), sample);
      const std::vector<Tensor> inputs = sample_inputs(op(name), sample);
      const std::vector<Tensor> found = run(graph, inputs, {.threads = 2});
      expect_close(found, interpret(graph, inputs), tolerance(sample, found[0].dtype()));
      expect_same_bits(found, run(graph, inputs, {.threads = 1}));
    }
  }
}

TEST(Control, RunsLoopsOfEveryLength) {
  for (const int64_t length : {0, 1, 2, 5})
    for (const bool backward : {false, true}) {
      SCOPED_TRACE(length);
      Graph body;
      Builder inner(body);
      const Type row{DType::f32, {3}};
      const Value sum = inner.input("sum", row), x = inner.input("x", row), w = inner.input("w", row);
      const Value next = ops::add(inner, ops::mul(inner, sum, w), x);
      inner.output("sum", next);
      inner.output("seen", ops::exp(inner, sum));
      Graph graph;
      Builder b(graph);
      const Value start = b.input("start", row), xs = b.input("xs", {DType::f32, {length, 3}}),
                  c = b.input("w", row);
      const std::vector<Value> results = ops::scan(b, body, {start}, {xs}, {c}, length, backward);
      b.output("sum", results[0]);
      if (length != 2) b.output("seen", results[1]);
      std::vector<Tensor> inputs;
      for (const Port& port : graph.inputs)
        inputs.push_back(filled(graph.type(port.value), inputs.size() + 1));
      expect_close(run(graph, inputs), interpret(graph, inputs), 1e-6);
    }
}

}  // namespace temper
