#include "runtime/registry.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "ops/primitives.h"
#include "runtime/compile.h"

namespace temper {

namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

Claim no_exponentials(const TargetFacts&, const Graph&, const Node& node) {
  if (node.op->name == "exp") return {Claim::refuse, "no exponentials here"};
  return {Claim::kernel, "fine"};
}
Program compile_nothing(const TargetFacts&, const Graph& graph, const CompileOptions&) {
  return {.graph = graph};
}

const Target kPicky{.name = "picky", .claim = no_exponentials, .compile = compile_nothing};

std::unique_ptr<Device> absent(std::string_view which) {
  throw Error(ErrorKind::device,
              "ordinal " + std::to_string(device_number("picky", which)) + " is switched off");
}

}  // namespace

TEST(Registry, SuggestsTheNearestName) {
  register_device({"picky", absent, &kPicky});
  EXPECT_THAT([] { open_device("pickle"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("`pickle`"), HasSubstr("did you mean `picky`?"))));
  EXPECT_THAT([] { open_device("picky:one"); }, ThrowsMessage<Error>(HasSubstr("a number")));
  EXPECT_THAT([] { open_device("picky:-1"); }, ThrowsMessage<Error>(HasSubstr("a number")));
}

TEST(Registry, PassesTheOrdinalAndTheReason) {
  register_device({"picky", absent, &kPicky});
  EXPECT_THAT([] { open_device("picky:3"); }, ThrowsMessage<Error>(HasSubstr("ordinal 3 is switched off")));
  EXPECT_THAT([] { open_device("picky"); }, ThrowsMessage<Error>(HasSubstr("ordinal 0 is switched off")));
}

// What stands after the first colon is the kind's own: words, too.
TEST(Registry, HandsOnWords) {
  const auto wordy = [](std::string_view which) -> std::unique_ptr<Device> {
    throw Error(ErrorKind::device, concat("asked for [", which, "]"));
  };
  register_device({"wordy", wordy, &kPicky});
  EXPECT_THAT([] { open_device("wordy:/a/b.so:2"); },
              ThrowsMessage<Error>(HasSubstr("asked for [/a/b.so:2]")));
  EXPECT_THAT([] { open_device("wordy"); }, ThrowsMessage<Error>(HasSubstr("asked for []")));
}

TEST(Compile, NamesEveryRefusedNode) {
  Graph graph;
  Builder b(graph);
  b.set_default_name("first");
  const Value x = ops::exp(b, b.input("x", {DType::f32, {4}}));
  b.set_default_name("second");
  b.output("y", ops::exp(b, ops::neg(b, x)));
  EXPECT_THAT([&] { compile(kPicky, {}, graph); },
              ThrowsMessage<Error>(AllOf(HasSubstr("2 nodes"), HasSubstr("first"), HasSubstr("second"),
                                         HasSubstr("no exponentials here"))));
}

TEST(Compile, WantsFixedShapes) {
  Graph graph;
  Builder b(graph);
  b.output("y", b.input("x", {DType::f32, {Dim::symbol("N"), 3}}));
  EXPECT_THAT([&] { compile(kPicky, {}, graph); },
              ThrowsMessage<Error>(AllOf(HasSubstr("`x`"), HasSubstr("[N, 3]"))));
}

}  // namespace temper
