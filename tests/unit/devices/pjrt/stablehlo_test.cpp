// The text of a few graphs against tests/golden/stablehlo; TEMPER_WRITE_GOLDEN=1 writes it anew.
#include "devices/pjrt/stablehlo.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/text.h"
#include "devices/pjrt/pjrt.h"
#include "ops/primitives.h"
#include "runtime/compile.h"
#include "support/data.h"
#include "support/expect_error.h"

namespace temper::pjrt {
namespace {

void expect_golden(const std::string& name, const std::string& text) {
  const std::filesystem::path file = in_repository("tests/golden/stablehlo/" + name + ".mlir");
  if (std::getenv("TEMPER_WRITE_GOLDEN")) std::ofstream(file) << text;
  std::ifstream stream(file);
  EXPECT_EQ(text, std::string(std::istreambuf_iterator<char>(stream), {})) << file;
}

Value input(Builder& b, const char* name, const Shape& shape) { return b.input(name, {DType::f32, shape}); }

TEST(StableHlo, StepOfALayer) {
  Graph graph;
  Builder b(graph);
  const Value w = input(b, "w", {4, 3}), x = input(b, "x", {2, 4}), lr = input(b, "lr", {});
  const Value y = ops::max(b, ops::matmul(b, x, w), 0);
  const Value slope = ops::matmul(b, ops::transpose(b, x, {1, 0}), y);
  b.output("w", ops::sub(b, w, ops::mul(b, slope, lr)));
  b.output("loss", ops::reduce_sum(b, y, {0, 1}));
  graph.donations = {{0, 0}};
  expect_golden("layer", stablehlo_text(graph));
}

TEST(StableHlo, Convolution) {
  Graph graph;
  Builder b(graph);
  const Value x = input(b, "x", {2, 4, 7, 8}), w = input(b, "w", {6, 2, 3, 3});
  b.output("y", ops::conv_general(b, x, w, {{2, 1}, {1, 0}, {1, -1}, {1, 2}, {1, 1}, 2, 1}));
  b.output("p", ops::reduce_window(b, x, {1, 1, 2, 2}, {1, 1, 2, 2}, {0, 0, 0, 0}, {0, 0, 1, 0}, {1, 1, 1, 1},
                                   "max"));
  expect_golden("convolution", stablehlo_text(graph));
}

TEST(StableHlo, Constants) {
  Graph graph;
  Builder b(graph);
  const auto constant = [&](const char* name, const Type& type, const std::vector<double>& values) {
    b.output(name, b.constant(from_doubles(type, values)));
  };
  constant("splat", {DType::bf16, {2, 2}}, {1e-5, 1e-5, 1e-5, 1e-5});
  constant("list", {DType::f32, {2, 3}}, {1, -0.5, INFINITY, 1e30, 0, 0.1});
  constant("nan", {DType::f16, {}}, {NAN});
  constant("empty", {DType::f64, {0, 3}}, {});
  constant("long", {DType::f32, {17}}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17});
  b.output("integers", b.constant(from_int64s({DType::u64, {2}}, std::vector<int64_t>{-1, 7})));
  b.output("booleans", b.constant(from_int64s({DType::boolean, {2}}, std::vector<int64_t>{1, 0})));
  expect_golden("constants", stablehlo_text(graph));
}

TEST(StableHlo, Loop) {
  Graph body;
  Builder inner(body);
  const Value carry = input(inner, "carry", {2}), slice = input(inner, "x", {2}),
              factor = input(inner, "f", {2});
  inner.output("carry", ops::add(inner, carry, ops::mul(inner, slice, factor)));
  inner.output("y", ops::tanh(inner, carry));
  Graph graph;
  Builder b(graph);
  const Value start = input(b, "start", {2}), xs = input(b, "xs", {5, 2}), scale = input(b, "scale", {2});
  const std::vector<Value> results = ops::scan(b, body, {start}, {xs}, {scale}, 5, true);
  b.output("last", results[0]);
  b.output("ys", results[1]);
  expect_golden("loop", stablehlo_text(graph));
}

TEST(StableHlo, Replicas) {
  Graph graph;
  Builder b(graph);
  b.output("sum", ops::all_reduce(b, input(b, "x", {2}), "sum", 4));
  EXPECT_NE(stablehlo_text(graph).find("replica_groups = dense<[[0, 1, 2, 3]]> : tensor<1x4xi64>"),
            std::string::npos)
      << stablehlo_text(graph);
}

TEST(StableHlo, Places) {
  Graph graph;
  Builder b(graph);
  const Value x = input(b, "x", {6, 3}), places = b.input("places", {DType::i64, {4}});
  const Value rows = ops::take(b, x, places, 0);
  b.output("rows", rows);
  b.output("sums", ops::scatter(b, x, places, rows, {{1}, {0}, {0}, 1}, "add"));
  b.output("best", ops::arg_reduce(b, x, 1, "max", DType::i32));
  b.output("sorted", ops::sort(b, {x}, 0, true)[0]);
  expect_golden("places", stablehlo_text(graph));
}

TEST(StableHlo, WhatXlaDoesNotTakeIsRefusedByName) {
  Graph graph;
  Builder b(graph);
  b.output("y", ops::reshape(b, b.input("x", {DType::i4, {4}}), {2, 2}));
  expect_error(ErrorKind::unsupported, "XLA takes no i4", [&] { compile(pjrt_target(), {}, graph); });
}

// A target alone, without any plug-in, gives the text.
TEST(StableHlo, CompilesWithoutHardware) {
  Graph graph;
  Builder b(graph);
  b.output("y", ops::relu(b, input(b, "x", {2})));
  const auto program = compile(pjrt_target(), {}, graph);
  EXPECT_NE(program->code.find("\"stablehlo.maximum\""), std::string::npos) << program->code;
  EXPECT_EQ(program->memory.arguments, 8);
}

}  // namespace
}  // namespace temper::pjrt
