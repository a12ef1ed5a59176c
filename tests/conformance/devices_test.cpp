// Every op on every device: all samples against the interpreter.
#include <gtest/gtest.h>

#include <cmath>

#include "conformance.h"
#include "devices/cpu/cpu.h"
#include "devices/cuda/cuda.h"
#include "devices/null/null.h"
#include "devices/opencl/opencl.h"
#include "devices/pjrt/pjrt.h"
#include "expected.h"
#include "ops/registry.h"
#include "ops/samples.h"
#include "runtime/compile.h"
#include "support/cuda.h"
#include "support/data.h"
#include "support/opencl.h"
#include "support/pjrt.h"
#include "support/sanitizers.h"
#include "support/temporary_folder.h"

namespace temper {
namespace {

void register_all() {
  setenv("TEMPER_CACHE", "off", 1);  // what is compiled here and now is what is looked at
  register_device(cpu::cpu_device());
  use_fake_cuda();
  register_device(cuda::cuda_device());
  register_device(null::null_device());
  register_device(opencl::opencl_device());
  register_device(pjrt::pjrt_device());
}

// Words of test names; a device that is not here has none.
std::vector<std::string> device_names() {
  std::vector<std::string> names{"cpu", "cuda", "null"};
  if (why_no_opencl().empty()) names.emplace_back("opencl");
  if (std::filesystem::exists(pjrt_cpu_plugin())) names.emplace_back("pjrt_cpu");
  return names;
}

Device& device_of(const std::string& name) {
  register_all();
  return open_device(name == "pjrt_cpu" ? concat("pjrt:", pjrt_cpu_plugin().string()) : name);
}

// Empty if all went well.
std::string outcome(const std::string& name, const Op& op, const Sample& sample) {
  try {
    const std::vector<Tensor> found = run_sample(device_of(name), op, sample),
                              expected = reference(op, sample);
    if (name != "null") return compare(sample, found, expected);
    if (found.size() != expected.size()) return "another number of results";
    for (size_t i = 0; i < found.size(); ++i) {  // zeros, but of the right types
      if (found[i].type() != expected[i].type()) return "another type";
    }
    return "";
  } catch (const Error& error) {
    return concat(error.kind() == ErrorKind::unsupported ? "refused: " : "", error.what());
  }
}

// Decomposed, claimed and printed, or refused.
void expect_text(const Target& target, const Op& op, const Sample& sample) {
  try {
    EXPECT_NE(compile(target, {}, sample_graph(op, sample))->code, "") << op.name << " " << sample.name;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported) << op.name << " " << sample.name << ": " << error.what();
  }
}

// Where compiling takes long: all samples at once, and one by one if that fails.
std::vector<std::string> outcomes(const std::string& name, const Op& op, const std::vector<Sample>& samples) {
  std::vector<std::string> found;
  if (name == "opencl" || name == "cuda") {
    try {
      const std::vector<std::vector<Tensor>> results = run_together(device_of(name), op, samples);
      for (size_t i = 0; i < samples.size(); ++i)
        found.push_back(compare(samples[i], results[i], reference(op, samples[i])));
      return found;
    } catch (const Error&) {
      found.clear();
    }
  }
  for (const Sample& sample : samples) found.push_back(outcome(name, op, sample));
  return found;
}

class Conformance : public testing::TestWithParam<std::tuple<std::string, const Op*>> {};

TEST_P(Conformance, AgreesWithTheReference) {
  const auto& [name, row] = GetParam();
  const Op& op = *row;
  if (!op.samples) return;
  const ExpectedFailures expected(in_repository(concat("tests/conformance/expected_", name, ".txt")));
  if (TEST_SANITIZED && (name == "pjrt_cpu" || name == "opencl" || name == "cuda")) {
    const Target& target = name == "opencl" ? opencl::opencl_target()
                           : name == "cuda" ? cuda::cuda_target()
                                            : pjrt::pjrt_target();
    for (const Sample& sample : op.samples()) expect_text(target, op, sample);
    GTEST_SKIP() << "skipped, because the compiler is no code of ours and slow under a sanitizer: its text "
                    "was made, not run";
  }
  const std::vector<Sample> samples = op.samples();
  const std::vector<std::string> found = outcomes(name, op, samples);
  for (size_t i = 0; i < samples.size(); ++i) {
    SCOPED_TRACE(concat(op.name, ", sample ", samples[i].name, ", on ", name));
    EXPECT_EQ(expected.judge(concat(op.name, " / ", samples[i].name), found[i]), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Conformance,
                         testing::Combine(testing::ValuesIn(device_names()), testing::ValuesIn(all_ops())),
                         [](const auto& info) {
                           return concat(std::get<0>(info.param), "_", std::get<1>(info.param)->name);
                         });

// The comparison is sharp: a device that answers zeros fails it.
TEST(Comparison, NoticesZeros) {
  const Op& add = op("add");
  const Sample sample = add.samples().front();
  EXPECT_NE(compare(sample, run_sample(device_of("null"), add, sample), reference(add, sample)), "");
}

TEST(Devices, PjrtIsHere) {
  if (!std::filesystem::exists(pjrt_cpu_plugin()))
    GTEST_SKIP() << "skipped, because there is no PJRT plug-in for this processor: ./run install test";
  EXPECT_EQ(device_of("pjrt_cpu").target().name, "pjrt");
}

TEST(Devices, OpenclIsHere) {
  if (const std::string why = why_no_opencl(); !why.empty())
    GTEST_SKIP() << "skipped, because there is no OpenCL device: ./run install test (" << why << ")";
  EXPECT_EQ(device_of("opencl").target().name, "opencl");
}

TEST(Expected, FailsWhateverIsNotAsItSays) {
  const TemporaryFolder folder;
  const ExpectedFailures lists(folder.write("expected.txt", "# why\nrefused: add / i4\nwrong: add / nan\n"));
  EXPECT_EQ(lists.judge("add / i4", "refused: no i4"), "");
  EXPECT_EQ(lists.judge("add / nan", "result 0: differs"), "");
  EXPECT_EQ(lists.judge("add / f32", ""), "");
  EXPECT_NE(lists.judge("add / i4", ""), "");
  EXPECT_NE(lists.judge("add / i4", "result 0: differs"), "");
  EXPECT_NE(lists.judge("add / f32", "result 0: differs"), "");
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
