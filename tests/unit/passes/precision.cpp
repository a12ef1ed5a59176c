// The pass that lowers precision: golden text of small steps, and what must hold of any graph.
#include <gtest/gtest.h>

#include <random>

#include "grad/gradient.h"
#include "ir/builder.h"
#include "ir/text.h"
#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "passes/passes.h"
#include "tensor/compare.h"

namespace temper {
namespace {

// Convolution, norm, relu, mean, dense, loss, and one update of each weight.
Graph small_step() {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2, 3, 4, 4}}), labels = b.input("labels", {DType::i64, {2}});
  const Value w = b.input("w", {DType::f32, {8, 3, 3, 3}}), scale = b.input("scale", {DType::f32, {8}}),
              shift = b.input("shift", {DType::f32, {8}}), dense = b.input("dense", {DType::f32, {8, 5}});
  const Value y = ops::conv2d(b, x, w, {}, {.low = {1, 1}, .high = {1, 1}});
  const ops::BatchNormResult norm = ops::batch_norm_train(b, y, scale, shift, 1e-5);
  const Value features = ops::reduce_mean(b, ops::max(b, norm.y, 0), {2, 3});
  const Value loss = ops::cross_entropy(b, ops::matmul(b, features, dense), labels, 0);
  const std::vector<Value> wrt = {w, scale, dense};
  const std::vector<Value> grads =
      gradient(b, loss, wrt, ops::broadcast_to(b, b.scalar(DType::f32, 0.5), {2}));
  b.output("loss", loss);
  graph.donations = {{2, 1}, {3, 2}, {5, 3}};
  for (size_t i = 0; i < wrt.size(); ++i)
    b.output("next." + std::to_string(i), ops::sub(b, wrt[i], ops::mul(b, grads[i], 0.1)));
  return fold(merge_common(eliminate_dead(graph)));
}

TEST(LowerPrecision, TrainingStep) {
  EXPECT_EQ(print(fold(lower_precision(small_step()))), R"(temper.graph 1
%0 = input@1() {dtype=f32, shape=shape[2, 3, 4, 4]} "x" : f32[2, 3, 4, 4]
%1 = input@1() {dtype=i64, shape=shape[2]} "labels" : i64[2]
%2 = input@1() {dtype=f32, shape=shape[8, 3, 3, 3]} "w" : f32[8, 3, 3, 3]
%3 = input@1() {dtype=f32, shape=shape[8]} "scale" : f32[8]
%4 = input@1() {dtype=f32, shape=shape[8]} "shift" : f32[8]
%5 = input@1() {dtype=f32, shape=shape[8, 5]} "dense" : f32[8, 5]
%6 = convert@1(%0) {dtype=bf16} : bf16[2, 3, 4, 4]
%7 = convert@1(%2) {dtype=bf16} : bf16[8, 3, 3, 3]
%8 = conv2d@1(%6, %7) {dilations=[1, 1], groups=1, high=[1, 1], low=[1, 1], strides=[1, 1]} : bf16[2, 8, 4, 4]
%9 = batch_norm_train@1(%8, %3, %4) {epsilon=1e-05} : bf16[2, 8, 4, 4], f32[8], f32[8]
%10 = constant@1() {value=tensor bf16[] {0}} : bf16[]
%11 = broadcast_in_dim@1(%10) {axes=[], shape=shape[2, 8, 4, 4]} : bf16[2, 8, 4, 4]
%12 = max@1(%9.0, %11) : bf16[2, 8, 4, 4]
%13 = convert@1(%12) {dtype=f32} : f32[2, 8, 4, 4]
%14 = reduce@1(%13) {axes=[2, 3], kind="sum"} : f32[2, 8]
%15 = constant@1() {value=tensor f32[] {16}} : f32[]
%16 = broadcast_in_dim@1(%15) {axes=[], shape=shape[2, 8]} : f32[2, 8]
%17 = div@1(%14, %16) : f32[2, 8]
%18 = convert@1(%17) {dtype=bf16} : bf16[2, 8]
%19 = convert@1(%5) {dtype=bf16} : bf16[8, 5]
%20 = dot_general@1(%18, %19) {result=f32, x_batch=[], x_contract=[1], y_batch=[], y_contract=[0]} : f32[2, 5]
%21 = cross_entropy@1(%20, %1) {smoothing=0.0} : f32[2]
%22 = constant@1() {value=tensor f32[] {0.5}} : f32[]
%23 = broadcast_in_dim@1(%22) {axes=[], shape=shape[2]} : f32[2]
%24 = cross_entropy_grad@1(%20, %1, %23) {smoothing=0.0} : f32[2, 5]
%25 = convert@1(%24) {dtype=bf16} : bf16[2, 5]
%26 = dot_general@1(%25, %19) {x_batch=[], x_contract=[1], y_batch=[], y_contract=[1]} : bf16[2, 8]
%27 = dot_general@1(%25, %18) {result=f32, x_batch=[], x_contract=[0], y_batch=[], y_contract=[0]} : f32[5, 8]
%28 = transpose@1(%27) {permutation=[1, 0]} : f32[8, 5]
%29 = constant@1() {value=tensor bf16[] {16}} : bf16[]
%30 = broadcast_in_dim@1(%29) {axes=[], shape=shape[2, 8]} : bf16[2, 8]
%31 = div@1(%26, %30) : bf16[2, 8]
%32 = broadcast_in_dim@1(%31) {axes=[0, 1], shape=shape[2, 8, 4, 4]} : bf16[2, 8, 4, 4]
%33 = compare@1(%9.0, %11) {direction="gt"} : bool[2, 8, 4, 4]
%34 = select@1(%33, %32, %11) : bf16[2, 8, 4, 4]
%35 = batch_norm_grad@1(%8, %3, %9.1, %9.2, %34) {epsilon=1e-05} : bf16[2, 8, 4, 4], f32[8], f32[8]
%36 = conv_weight_grad@1(%6, %35.0) {dilations=[1, 1], groups=1, high=[1, 1], low=[1, 1], result=f32, strides=[1, 1], weight_shape=shape[8, 3, 3, 3]} : f32[8, 3, 3, 3]
%37 = constant@1() {value=tensor f32[] {0.1}} : f32[]
%38 = broadcast_in_dim@1(%37) {axes=[], shape=shape[8, 3, 3, 3]} : f32[8, 3, 3, 3]
%39 = mul@1(%36, %38) : f32[8, 3, 3, 3]
%40 = sub@1(%2, %39) : f32[8, 3, 3, 3]
%41 = broadcast_in_dim@1(%37) {axes=[], shape=shape[8]} : f32[8]
%42 = mul@1(%35.1, %41) : f32[8]
%43 = sub@1(%3, %42) : f32[8]
%44 = broadcast_in_dim@1(%37) {axes=[], shape=shape[8, 5]} : f32[8, 5]
%45 = mul@1(%28, %44) : f32[8, 5]
%46 = sub@1(%5, %45) : f32[8, 5]
in "x" %0
in "labels" %1
in "w" %2
in "scale" %3
in "shift" %4
in "dense" %5
out "loss" %21
out "next.0" %40
out "next.1" %43
out "next.2" %46
donate 2 1
donate 3 2
donate 5 3
)");
}

// Residual sums, a relu that ends at 6, hard swish with its 1/6, a bias, a pooling, attention's scores.
Graph inference() {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {2, 4, 4, 4}}), w = b.input("w", {DType::f32, {4, 4, 1, 1}}),
              bias = b.input("bias", {DType::f32, {4}}), dense = b.input("dense", {DType::f32, {4, 4}});
  const Value biased = ops::conv2d(b, x, w, bias, {});
  const Value y = ops::add(b, ops::conv2d(b, x, w, {}, {}), biased);
  const Value clipped = ops::min(b, ops::max(b, ops::add(b, y, 3), 0), 6);
  const Value swish = ops::mul(b, ops::mul(b, y, clipped), 1.0 / 6);
  const Value pooled = ops::max_pool(b, swish, {.window = {2, 2}, .strides = {2, 2}});
  const Value rows = ops::reshape(b, ops::transpose(b, pooled, {0, 2, 3, 1}), {8, 4});
  const Value queries = ops::add(b, ops::matmul(b, rows, dense), bias);
  const Value scores = ops::softmax(b, ops::matmul(b, queries, ops::transpose(b, queries, {1, 0})), 1);
  b.output("y", ops::matmul(b, scores, queries));
  return fold(graph);
}

TEST(LowerPrecision, Inference) {
  EXPECT_EQ(print(fold(lower_precision(inference()))), R"(temper.graph 1
%0 = input@1() {dtype=f32, shape=shape[2, 4, 4, 4]} "x" : f32[2, 4, 4, 4]
%1 = input@1() {dtype=f32, shape=shape[4, 4, 1, 1]} "w" : f32[4, 4, 1, 1]
%2 = input@1() {dtype=f32, shape=shape[4]} "bias" : f32[4]
%3 = input@1() {dtype=f32, shape=shape[4, 4]} "dense" : f32[4, 4]
%4 = convert@1(%0) {dtype=bf16} : bf16[2, 4, 4, 4]
%5 = convert@1(%1) {dtype=bf16} : bf16[4, 4, 1, 1]
%6 = convert@1(%2) {dtype=bf16} : bf16[4]
%7 = conv2d@1(%4, %5, %6) {dilations=[1, 1], groups=1, high=[0, 0], low=[0, 0], strides=[1, 1]} : bf16[2, 4, 4, 4]
%8 = conv2d@1(%4, %5) {dilations=[1, 1], groups=1, high=[0, 0], low=[0, 0], strides=[1, 1]} : bf16[2, 4, 4, 4]
%9 = add@1(%8, %7) : bf16[2, 4, 4, 4]
%10 = constant@1() {value=tensor bf16[] {3}} : bf16[]
%11 = broadcast_in_dim@1(%10) {axes=[], shape=shape[2, 4, 4, 4]} : bf16[2, 4, 4, 4]
%12 = add@1(%9, %11) : bf16[2, 4, 4, 4]
%13 = constant@1() {value=tensor bf16[] {0}} : bf16[]
%14 = broadcast_in_dim@1(%13) {axes=[], shape=shape[2, 4, 4, 4]} : bf16[2, 4, 4, 4]
%15 = max@1(%12, %14) : bf16[2, 4, 4, 4]
%16 = constant@1() {value=tensor bf16[] {6}} : bf16[]
%17 = broadcast_in_dim@1(%16) {axes=[], shape=shape[2, 4, 4, 4]} : bf16[2, 4, 4, 4]
%18 = min@1(%15, %17) : bf16[2, 4, 4, 4]
%19 = mul@1(%9, %18) : bf16[2, 4, 4, 4]
%20 = constant@1() {value=tensor f32[] {0.16666667}} : f32[]
%21 = broadcast_in_dim@1(%20) {axes=[], shape=shape[2, 4, 4, 4]} : f32[2, 4, 4, 4]
%22 = convert@1(%19) {dtype=f32} : f32[2, 4, 4, 4]
%23 = mul@1(%22, %21) : f32[2, 4, 4, 4]
%24 = convert@1(%23) {dtype=bf16} : bf16[2, 4, 4, 4]
%25 = max_pool@1(%24) {dilations=[1, 1], high=[0, 0], low=[0, 0], strides=[2, 2], window=[2, 2]} : bf16[2, 4, 2, 2]
%26 = transpose@1(%25) {permutation=[0, 2, 3, 1]} : bf16[2, 2, 2, 4]
%27 = reshape@1(%26) {shape=shape[8, 4]} : bf16[8, 4]
%28 = convert@1(%3) {dtype=bf16} : bf16[4, 4]
%29 = dot_general@1(%27, %28) {x_batch=[], x_contract=[1], y_batch=[], y_contract=[0]} : bf16[8, 4]
%30 = broadcast_in_dim@1(%6) {axes=[1], shape=shape[8, 4]} : bf16[8, 4]
%31 = add@1(%29, %30) : bf16[8, 4]
%32 = transpose@1(%31) {permutation=[1, 0]} : bf16[4, 8]
%33 = dot_general@1(%31, %32) {result=f32, x_batch=[], x_contract=[1], y_batch=[], y_contract=[0]} : f32[8, 8]
%34 = softmax@1(%33) {axis=1} : f32[8, 8]
%35 = convert@1(%34) {dtype=bf16} : bf16[8, 8]
%36 = dot_general@1(%35, %31) {result=f32, x_batch=[], x_contract=[1], y_batch=[], y_contract=[0]} : f32[8, 4]
in "x" %0
in "w" %1
in "bias" %2
in "dense" %3
out "y" %36
)");
}

std::vector<Tensor> random_inputs(const Graph& graph) {
  std::vector<Tensor> tensors;
  std::mt19937 engine(1);
  std::uniform_real_distribution<double> uniform(0.1, 1);
  for (const Port& port : graph.inputs) {
    const Type& type = graph.type(port.value);
    std::vector<double> values(static_cast<size_t>(type.shape.elements()));
    for (double& value : values) value = uniform(engine);
    tensors.push_back(is_float(type.dtype) ? from_doubles(type, values) : Tensor(type));
  }
  return tensors;
}

TEST(LowerPrecision, StaysNearAndKeepsPorts) {
  for (const Graph& graph : {small_step(), inference()}) {
    const Graph lower = lower_precision(graph);
    verify(lower);
    const std::vector<Tensor> inputs = random_inputs(graph);
    const std::vector<Tensor> x = interpret(graph, inputs), y = interpret(lower, inputs);
    ASSERT_EQ(x.size(), y.size());
    EXPECT_EQ(graph.donations, lower.donations);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(graph.outputs[i].name, lower.outputs[i].name);
      ASSERT_EQ(x[i].type(), y[i].type());
      std::string why;
      EXPECT_TRUE(close(x[i], y[i], 0.03, 0.01, &why)) << graph.outputs[i].name << ": " << why;
    }
  }
}

TEST(LowerPrecision, ChangesNothingTheSecondTime) {
  for (const Graph& graph : {small_step(), inference()}) {
    const Graph once = fold(lower_precision(graph));
    EXPECT_EQ(print(fold(lower_precision(once))), print(once));
  }
}

TEST(LowerPrecision, LeavesOtherTypesAlone) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::bf16, {2, 3}}), y = b.input("y", {DType::f64, {3, 2}});
  b.output("bf16", ops::softmax(b, x, 1));
  b.output("f64", ops::matmul(b, y, ops::transpose(b, y, {1, 0})));
  EXPECT_TRUE(same(lower_precision(graph), graph));
}

}  // namespace
}  // namespace temper
