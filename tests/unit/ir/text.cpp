#include "ir/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/builder.h"
#include "ops/composites.h"
#include "ops/primitives.h"
#include "ops/registry.h"

namespace temper {
namespace {

void expect_round_trip(const Graph& graph) {
  const std::string text = print(graph);
  const Graph again = parse_graph(text);
  EXPECT_TRUE(same(graph, again)) << text;
  EXPECT_EQ(print(again), text);
}

Graph every_attribute() {
  Graph graph;
  Builder b(graph);
  const Value x =
      b.input("a \"strange\"\n name\\", {DType::f32, {Dim::symbol("batch size"), Dim(2, "N"), 3}});
  const std::vector<double> odd = {0.1, -0.0, INFINITY, 1e-45, 3.4e38, 5};
  b.output("odd", b.constant(from_doubles({DType::f32, {2, 3}}, odd)));
  b.output("nan", b.scalar(DType::f64, std::nan("")));
  b.output("big", b.constant(Tensor({DType::bf16, {100}})));
  const std::vector<int64_t> ends = {std::numeric_limits<int64_t>::min(), -1,
                                     std::numeric_limits<int64_t>::max()};
  b.output("ints", b.constant(from_int64s({DType::i64, {3}}, ends)));
  b.output("none", b.constant(Tensor({DType::f32, {0, 4}})));
  b.output("cut", ops::slice(b, x, {0, 0, 1}, {ops::kEnd, ops::kEnd, 3}, {1, 1, 2}));
  b.output("sum", ops::reduce_sum(b, x, {2}));
  graph.donations = {};
  return graph;
}

TEST(Text, RoundTripsEveryKindOfAttribute) { expect_round_trip(every_attribute()); }

TEST(Text, RoundTripsAbsentInputsSeveralOutputsAndDonations) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {Dim::symbol("N"), 3, 8, 8}});
  const Value w = b.input("w", {DType::f32, {4, 3, 3, 3}});
  const Value scale = b.input("scale", {DType::f32, {4}}), bias = b.input("bias", {DType::f32, {4}});
  const Value y = ops::conv2d(b, x, w, {}, {.low = {1, 1}, .high = {1, 1}});
  const ops::BatchNormResult norm = ops::batch_norm_train(b, y, scale, bias, 1e-5);
  b.output("y", norm.y);
  b.output("scale", ops::add(b, norm.mean, scale));
  graph.donations = {{2, 1}};
  expect_round_trip(graph);
}

TEST(Text, RoundTripsRegions) {
  Graph body;
  Builder inner(body);
  inner.output("y", ops::exp(inner, inner.input("x", {DType::f32, {2}})));
  Graph graph;
  Builder b(graph);
  b.output("y", ops::call(b, body, {b.input("x", {DType::f32, {2}})})[0]);
  expect_round_trip(graph);
}

TEST(Text, IsReadable) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {Dim::symbol("N"), 3}});
  b.output("y", ops::reduce_sum(b, ops::add(b, x, x), {1}));
  EXPECT_EQ(print(graph),
            "temper.graph 1\n"
            "%0 = input@1() {dtype=f32, shape=shape[N, 3]} \"x\" : f32[N, 3]\n"
            "%1 = add@1(%0, %0) : f32[N, 3]\n"
            "%2 = reduce@1(%1) {axes=[1], kind=\"sum\"} : f32[N]\n"
            "in \"x\" %0\n"
            "out \"y\" %2\n");
}

TEST(Text, ElidesLargeConstants) {
  Graph graph;
  Builder b(graph);
  b.output("y", b.constant(Tensor({DType::f32, {1000}})));
  EXPECT_NE(print(graph, {.elide_constants_over = 64}).find("tensor f32[1000] ..."), std::string::npos);
}

struct Broken {
  const char* text;
  const char* expected;
};

class BrokenText : public testing::TestWithParam<Broken> {};

TEST_P(BrokenText, IsRefusedWithLineAndColumn) {
  try {
    parse_graph(GetParam().text);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt);
    EXPECT_NE(std::string(error.what()).find(GetParam().expected), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BrokenText,
    testing::Values(
        Broken{"", "line 1, column 1: expected temper.graph"},
        Broken{"temper.graph 2\n", "expected version 1"},
        Broken{"temper.graph 1\n%0 = nothing@1() : f32[]\n", "line 2, column 6: expected the name of an op"},
        Broken{"temper.graph 1\n%0 = exp@9() : f32[]\n", "expected exp@1"},
        Broken{"temper.graph 1\n%0 = exp@1(%7) : f32[]\n", "a value defined above"},
        Broken{"temper.graph 1\n%0 = input@1() {dtype=f32, shape=shape[2]} : f32[3]\n",
               "the types that the op infers"},
        Broken{"temper.graph 1\n%0 = input@1() {dtype=f32} : f32[3]\n", "a valid input"},
        Broken{"temper.graph 1\n%0 = constant@1() {value=tensor f32[4000000000] hex 00} : f32[1]\n",
               "bytes in hex"},
        Broken{"temper.graph 1\n%0 = constant@1() {value=tensor f32[2] {1}} : f32[2]\n", "2 numbers"},
        Broken{"temper.graph 1\ndonate 0 0\n", "positions of ports"},
        Broken{"temper.graph 1\n%0 = input@1() {dtype=f32, shape=shape[2]} : f32[2]\n", "a valid graph"},
        Broken{"temper.graph 1\n!", "a node, in, out or donate"}));

}  // namespace
}  // namespace temper
