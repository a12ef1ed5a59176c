// Sizes of tiles: measured once, remembered, and without a trace in the results.
#include "devices/opencl/tiles.h"

#include <gmock/gmock.h>

#include <cstring>

#include "counted.h"
#include "ops/primitives.h"
#include "runtime/compile.h"
#include "support/temporary_folder.h"
#include "support/wave.h"

namespace temper::opencl {
namespace {

Graph product(int64_t size) {
  Graph graph;
  Builder b(graph);
  const Type type{DType::f32, {size, size}};
  const Value x = b.input("x", type), y = b.input("y", type);
  b.output("z", ops::matmul(b, x, y));
  return graph;
}

// A product and a convolution that no tile divides.
Graph odd_sizes() {
  Graph graph;
  Builder b(graph);
  const auto input = [&](const char* name, const Shape& shape) { return b.input(name, {DType::f32, shape}); };
  b.output("z", ops::matmul(b, input("x", {150, 333}), input("y", {333, 170})));
  b.output("c", ops::conv_general(b, input("p", {2, 40, 19, 21}), input("w", {70, 40, 3, 3}),
                                  {{1, 2}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1, 1}));
  return graph;
}

class OpenclTiles : public testing::Test {
 protected:
  void SetUp() override {
    TEMPER_NEED_OPENCL();
    counted_device();
    setenv("TEMPER_CACHE", folder_.path().c_str(), 1);
  }
  void TearDown() override {
    setenv("TEMPER_CACHE", "off", 1);
    unsetenv("TEMPER_FAKE_GPU");
  }
  static std::string tiles_of(Device& device) {
    const TargetFacts facts = device.facts().target;
    const auto found = facts.facts.find(kTilesFact);
    return found == facts.facts.end() ? "" : found->second;
  }

  TemporaryFolder folder_;
};

TEST_F(OpenclTiles, AreMeasuredOnceAndRemembered) {
  const std::unique_ptr<Device> first = opencl_device().open("");
  compile(*first, product(64));
  EXPECT_EQ(tiles_of(*first), "") << "nothing large was asked for";
  compile(*first, product(512));
  const std::string found = tiles_of(*first);
  EXPECT_THAT(found,
              testing::MatchesRegex("products [0-9]+x[0-9]+x[0-9]+, convolutions [0-9]+x[0-9]+x[0-9]+"));
  const std::unique_ptr<Device> second = opencl_device().open("");
  EXPECT_EQ(tiles_of(*second), found);
  const int built = times_called("clBuildProgram");
  compile(*second, product(512));
  EXPECT_LE(times_called("clBuildProgram"), built + 1);
}

TEST_F(OpenclTiles, NothingIsMeasuredWhereNothingIsKept) {
  setenv("TEMPER_CACHE", "off", 1);
  const std::unique_ptr<Device> device = opencl_device().open("");
  compile(*device, product(512));
  EXPECT_EQ(tiles_of(*device), "");
}

TEST_F(OpenclTiles, TheBitsAreTheSameForAllSizes) {
  const Graph graph = odd_sizes();
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs)
    inputs.push_back(wave(graph.type(port.value), static_cast<double>(inputs.size())));
  for (const bool gpu : {false, true}) {
    if (gpu) setenv("TEMPER_FAKE_GPU", "1", 1);
    std::vector<Tensor> expected;
    for (const std::string& sizes : tile_candidates(opencl_device().open("")->facts().target)) {
      const TargetFacts facts = opencl_device().open("")->facts().target;
      remember_tiles(facts, concat("products ", sizes, ", convolutions ", sizes));
      const std::unique_ptr<Device> device = opencl_device().open("");
      ASSERT_THAT(tiles_of(*device), testing::HasSubstr(sizes));
      const std::vector<Tensor> found = run_once(*device, graph, inputs);
      if (expected.empty()) expected = found;
      for (size_t i = 0; i < found.size(); ++i)
        EXPECT_TRUE(found[i] == expected[i]) << sizes << " " << graph.outputs[i].name;
    }
  }
}

TEST_F(OpenclTiles, AFactThatIsNoneIsPassedOver) {
  const TargetFacts facts = opencl_device().open("")->facts().target;
  remember_tiles(facts, "products 64x64, convolutions 1x2x3");
  EXPECT_EQ(remembered_tiles(facts), std::nullopt);
}

}  // namespace
}  // namespace temper::opencl
