// Every op on every device: all samples against the interpreter.
#include <gtest/gtest.h>

#include <cmath>

#include "conformance.h"
#include "devices/cpu/cpu.h"
#include "devices/null/null.h"
#include "ops/registry.h"
#include "ops/samples.h"

namespace temper {
namespace {

const std::vector<DeviceKind>& devices() {
  static const bool registered = [] {
    register_device(cpu::cpu_device());
    register_device(null::null_device());
    return true;
  }();
  EXPECT_TRUE(registered);
  return device_kinds();
}

std::vector<std::string> device_names() {
  std::vector<std::string> names;
  for (const DeviceKind& kind : devices()) names.emplace_back(kind.name);
  return names;
}

class Conformance : public testing::TestWithParam<std::tuple<std::string, const Op*>> {};

TEST_P(Conformance, AgreesWithTheReference) {
  const auto& [name, row] = GetParam();
  const Op& op = *row;
  if (!op.samples) return;
  Device& device = open_device(name);
  for (const Sample& sample : op.samples()) {
    SCOPED_TRACE(concat(op.name, ", sample ", sample.name, ", on ", name));
    try {
      const std::vector<Tensor> found = run_sample(device, op, sample), expected = reference(op, sample);
      if (name != "null") {
        EXPECT_EQ(compare(sample, found, expected), "");
        continue;
      }
      ASSERT_EQ(found.size(), expected.size());  // zeros, but of the right types
      for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].type(), expected[i].type());
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Conformance,
                         testing::Combine(testing::ValuesIn(device_names()), testing::ValuesIn(all_ops())),
                         [](const auto& info) {
                           return concat(std::get<0>(info.param), "_", std::get<1>(info.param)->name);
                         });

// The comparison is sharp: a device that answers zeros fails it.
TEST(Comparison, NoticesZeros) {
  devices();
  const Op& add = op("add");
  const Sample sample = add.samples().front();
  EXPECT_NE(compare(sample, run_sample(open_device("null"), add, sample), reference(add, sample)), "");
}

TEST(Comparison, KeepsToTheTolerance) {
  const Sample sample{.name = "plain"};
  const auto tensor = [](float x, float y) { return Tensor::from<float>({2}, std::vector<float>{x, y}); };
  EXPECT_EQ(compare(sample, {tensor(100.0005F, 0.0005F)}, {tensor(100, 0)}), "");
  EXPECT_NE(compare(sample, {tensor(100.005F, 0)}, {tensor(100, 0)}), "");
  EXPECT_NE(compare(sample, {tensor(NAN, 0)}, {tensor(100, 0)}), "");
  EXPECT_NE(compare(sample, {Tensor::scalar(int64_t{1})}, {Tensor::scalar(int64_t{2})}), "");
}

}  // namespace
}  // namespace temper
