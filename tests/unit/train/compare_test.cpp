// Where devices part, on one that is wrong on purpose.
#include "train/compare.h"

#include <gmock/gmock.h>

#include <cmath>

#include "devices/cpu/cpu.h"
#include "ir/builder.h"
#include "ops/primitives.h"
#include "run.h"
#include "runtime/registry.h"

namespace temper {
namespace {

using testing::HasSubstr;

// Every tanh and every max is a hundredth too large.
Graph skew(const Graph& graph) {
  return rewrite(graph, [](Builder& b, const NodeView& view) -> std::optional<std::vector<Value>> {
    if (view.node.op->name == "tanh") return std::vector{ops::mul(b, ops::tanh(b, view.inputs[0]), 1.01)};
    if (view.node.op->name == "max")
      return std::vector{ops::mul(b, ops::max(b, view.inputs[0], view.inputs[1]), 1.01)};
    return std::nullopt;
  });
}

const Target& skewed_target() {
  static const Target target = [] {
    Target result = cpu::cpu_target();
    result.name = "skewed";
    result.legalize.insert(result.legalize.begin(), skew);
    return result;
  }();
  return target;
}

class SkewedDevice : public Device {
 public:
  std::string_view name() const override { return "skewed"; }
  const Target& target() const override { return skewed_target(); }
  DeviceFacts facts() override { return test_device().facts(); }
  Tensor allocate(const Type& type, int64_t layout) override { return test_device().allocate(type, layout); }
  void copy(const Tensor& from, Tensor& to) override { test_device().copy(from, to); }
  std::unique_ptr<Executable> load(std::shared_ptr<const Program> program) override {
    return test_device().load(std::move(program));
  }
};

Device& skewed_device() {
  test_device();
  register_device(
      {"skewed", [](std::string_view) -> std::unique_ptr<Device> { return std::make_unique<SkewedDevice>(); },
       &skewed_target()});
  return open_device("skewed");
}

// y = exp(x) + (tanh(x) + 1) * 2, the sum's branches one after the other.
Graph branches() {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {4, 8}});
  b.set_default_name("bent");
  const Value bent = ops::tanh(b, x);
  b.set_default_name("doubled");
  const Value doubled = ops::mul(b, ops::add(b, bent, 1), 2);
  b.set_default_name("grown");
  const Value grown = ops::exp(b, x);
  b.set_default_name("sum");
  b.output("y", ops::add(b, grown, doubled));
  return graph;
}

std::map<std::string, Tensor> numbers() {
  Tensor x(Type{DType::f32, {4, 8}});
  for (size_t i = 0; i < 32; ++i) x.mutable_values<float>()[i] = static_cast<float>(i) / 16 - 1;
  return {{"x", x}};
}

std::optional<FirstDifference> found(const Graph& graph, Device& device, double bound) {
  KeptEvents events;
  return first_difference(graph, numbers(), test_device(), device, bound, {}, events);
}

TEST(FirstDifference, IsTheNodeWhoseOperandsAgree) {
  const auto difference = found(branches(), skewed_device(), 1e-3);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->node, "bent");
  EXPECT_NEAR(difference->difference, 0.01, 1e-4);
}

TEST(FirstDifference, IsNoneWithinTheBound) {
  EXPECT_FALSE(found(branches(), skewed_device(), 0.1));
  EXPECT_FALSE(found(branches(), test_device(), 0));
}

TEST(FirstDifference, NamesWhatHasNoName) {
  Graph graph;
  Builder b(graph);
  b.output("y", ops::tanh(b, b.input("x", {DType::f32, {4, 8}})));
  const auto difference = found(graph, skewed_device(), 1e-3);
  ASSERT_TRUE(difference);
  EXPECT_THAT(difference->node, HasSubstr("tanh (node "));
}

class CompareDevices : public testing::Test {
 protected:
  CompareDevices() {
    skewed_device();
    options_.model = "mlp:64-16-4";
    options_.data = write_quarters(folder_, 64, 40);
    options_.batch = 16;
  }
  Comparison compare(const std::vector<std::string>& devices, double bound = 1e-3) {
    KeptEvents events;
    return compare_devices(options_, devices, bound, events);
  }

  TemporaryFolder folder_;
  EvaluateOptions options_;
};

TEST_F(CompareDevices, SaysTheSameOfADeviceAndItself) {
  const Comparison result = compare({"cpu", "cpu"}, 0);
  ASSERT_EQ(result.devices.size(), 2);
  EXPECT_EQ(result.samples, 40);
  EXPECT_EQ(result.split, "test");
  EXPECT_EQ(result.devices[1].accuracy, result.devices[0].accuracy);
  EXPECT_EQ(result.devices[1].label_agreement, 1);
  EXPECT_EQ(result.devices[1].max_difference, 0);
  EXPECT_FALSE(result.devices[1].first_difference);
}

TEST_F(CompareDevices, SaysWhereADevicePartsAndByHowMuch) {
  const Comparison result = compare({"cpu", "skewed", "cpu"});
  const DeviceAnswers& skewed = result.devices[1];
  EXPECT_GT(skewed.max_difference, 1e-5);
  EXPECT_GT(skewed.max_difference, skewed.mean_difference);
  EXPECT_GT(skewed.mean_difference, 0);
  ASSERT_TRUE(skewed.first_difference);
  EXPECT_NEAR(skewed.first_difference->difference, 0.01, 1e-4);  // of the relu, which is a max
  EXPECT_FALSE(result.devices[2].first_difference);
}

TEST_F(CompareDevices, WantsTwoThatAnswer) {
  EXPECT_THROW(compare({"cpu"}), Error);
  EXPECT_THROW(compare({"cpu", "nowhere"}), Error);
}

}  // namespace
}  // namespace temper
