// Layouts in blocks, the last of which zeros may fill up.
#include "devices/cpu/layout.h"

#include <algorithm>

#include "ops/composites.h"
#include "ops/interpreter/interpret.h"
#include "ops/primitives.h"
#include "run.h"

namespace temper {

namespace {

using cpu::Layout;

int64_t id_of(const Layout& layout) { return *cpu::encode(layout); }

const int64_t kOfFortyEight =
    id_of({.rank = 4, .order = {0, 2, 3, 1}, .block_count = 1, .blocks = {{{0, 48}}}});
const int64_t kOfThree =
    id_of({.rank = 4, .order = {0, 1, 2, 3}, .block_count = 3, .blocks = {{{1, 16}, {0, 16}, {1, 4}}}});

TEST(Layout, TakesTheMemoryOfWholeBlocks) {
  const Type weights{DType::f32, {64, 30, 3, 1}};
  EXPECT_EQ(cpu::stored_bytes(weights, cpu::kRowMajor), 64 * 30 * 3 * 4);
  EXPECT_EQ(cpu::stored_bytes(weights, cpu::channels_last(4)), 64 * 30 * 3 * 4);
  EXPECT_EQ(cpu::stored_bytes(weights, kOfFortyEight), 96 * 30 * 3 * 4);
  EXPECT_EQ(cpu::stored_bytes(weights, kOfThree), 64 * 64 * 3 * 4);
  EXPECT_EQ(cpu::stored_bytes({DType::bf16, {64, 30, 3, 1}}, kOfFortyEight), 96 * 30 * 3 * 2);
}

TEST(Layout, WhatIsFilledUpComesBackAndTheRestIsZero) {
  const Tensor weights = filled({DType::f32, {64, 30, 3, 1}}, 1);
  const auto nonzero = [](std::span<const float> values) {
    return std::ranges::count_if(values, [](float x) { return x != 0; });
  };
  Tensor inside = processor().allocate(weights.type(), kOfFortyEight);
  processor().copy(weights, inside);
  EXPECT_GE(inside.storage()->bytes, cpu::stored_bytes(weights.type(), kOfFortyEight));
  const std::span all(static_cast<const float*>(inside.storage()->data), size_t{96} * 30 * 3);
  EXPECT_EQ(nonzero(all), nonzero(weights.values<float>()));
  Tensor again = processor().allocate(weights.type(), kOfFortyEight);
  processor().copy(inside, again);
  expect_same_bits({download(processor(), again)}, {weights});
}

// A convolution, and what else reads its weights.
Graph convolution(int64_t channels, bool read_elsewhere) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {1, 64, 14, 14}}),
              w = b.input("w", {DType::f32, {channels, 64, 1, 1}});
  b.output("y", ops::conv2d(b, x, w, {}, {}));
  if (read_elsewhere) b.output("twice", ops::exp(b, w));  // not zero where w is
  return graph;
}

TEST(Layout, OnlyWeightsThatNobodyElseReadsAreFilledUp) {
  bool any = false;
  for (const int64_t channels : {64, 128, 256, 320, 512, 1024}) {
    SCOPED_TRACE(channels);
    const Graph alone = convolution(channels, false), shared = convolution(channels, true);
    const std::vector<Tensor> inputs{filled({DType::f32, {1, 64, 14, 14}}, 1),
                                     filled({DType::f32, {channels, 64, 1, 1}}, 2)};
    expect_close(run(alone, inputs), interpret(alone, inputs), 1e-5);
    expect_close(run(shared, inputs), interpret(shared, inputs), 1e-5);
    const auto filled_up = [](const Graph& graph) {
      const Argument w = load(graph)->program().inputs[1];
      return cpu::stored_bytes(w.type, w.layout) > byte_size(w.type);
    };
    any = any || filled_up(alone);
    EXPECT_FALSE(filled_up(shared));
  }
  if (!any) GTEST_SKIP() << "skipped, because no kernel of this processor wants blocks filled up";
}

}  // namespace

}  // namespace temper
