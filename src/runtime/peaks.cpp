#include "runtime/peaks.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "base/text.h"
#include "ops/primitives.h"
#include "runtime/compile.h"
#include "runtime/measurements.h"
#include "temper/error.h"

namespace temper {

namespace {

constexpr double kSeconds = 0.15;  // for each

using Clock = std::chrono::steady_clock;

template <class Run>
double best_seconds(const Run& run) {
  double best = 1e9;
  for (const auto begin = Clock::now();
       std::chrono::duration<double>(Clock::now() - begin).count() < kSeconds;) {
    const auto start = Clock::now();
    run();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

double best_seconds(Device& device, const Graph& graph) {
  const std::unique_ptr<Executable> executable = compile(device, graph);
  const std::unique_ptr<Context> context = executable->make_context();
  std::vector<Tensor> arguments, results(executable->program().outputs.size());
  for (const Argument& input : executable->program().inputs)
    arguments.push_back(upload(device, Tensor(input.type), input));
  executable->run(*context, arguments, results);
  return best_seconds([&] { executable->run(*context, arguments, results); });
}

double matmul_flops(Device& device, DType dtype) {
  constexpr int64_t kSize = 1024;
  Graph graph;
  Builder b(graph);
  const Type type{dtype, {kSize, kSize}};
  const Value x = b.input("x", type), y = b.input("y", type);
  b.output("z", ops::matmul(b, x, y));
  return 2.0 * kSize * kSize * kSize / best_seconds(device, graph);
}

double sum_rate(Device& device) {
  constexpr int64_t kElements = int64_t{1} << 24;  // 64 MB: more than any cache that they should not live in
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {kElements}});
  b.output("y", ops::add(b, x, 1));
  return 2.0 * sizeof(float) * kElements / best_seconds(device, graph);
}

// What is kept of the facts, by its name in the file.
constexpr std::array<std::pair<std::string_view, double DeviceFacts::*>, 5> kKept = {{
    {"flops", &DeviceFacts::peak_flops},
    {"bf16_flops", &DeviceFacts::peak_bf16_flops},
    {"bytes_per_second", &DeviceFacts::peak_bytes_per_second},
    {"upload_bytes_per_second", &DeviceFacts::upload_bytes_per_second},
    {"launch_seconds", &DeviceFacts::launch_seconds},
}};

// False: some number is missing or can be none.
bool take(const Json& kept, DeviceFacts& facts) {
  for (const auto& [name, member] : kKept) {
    const Json& value = kept.at(name);
    if (!value.is_number() || !std::isfinite(value.number()) || value.number() < 0) return false;
    facts.*member = value.number();
  }
  return true;
}

}  // namespace

Peaks measure_peaks(Device& device) {
  const auto rate = [](auto&& measured) -> double {
    try {
      return measured();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::unsupported) return 0;
      throw;
    }
  };
  return {rate([&] { return matmul_flops(device, DType::f32); }),
          rate([&] { return matmul_flops(device, DType::bf16); }), rate([&] { return sum_rate(device); })};
}

DeviceFacts with_peaks(DeviceFacts facts, const Peaks& peaks) {
  facts.peak_flops = peaks.flops;
  facts.peak_bf16_flops = peaks.bf16_flops;
  facts.peak_bytes_per_second = peaks.bytes_per_second;
  return facts;
}

double measure_upload(Device& device) {
  const Type type{DType::f32, {int64_t{1} << 24}};
  const Tensor host(type);
  Tensor there = device.allocate(type, 0);
  device.copy(host, there);
  return static_cast<double>(host.bytes()) / best_seconds([&] { device.copy(host, there); });
}

double measure_launch(Device& device) {
  Graph graph;
  Builder b(graph);
  const Type one{DType::f32, {1}};
  b.output("z", ops::add(b, b.input("x", one), b.input("y", one)));
  return best_seconds(device, graph);
}

DeviceFacts kept_peaks(Device& device, bool refresh) {
  DeviceFacts facts = device.facts();
  const Measurements file("peaks", device_text(device));
  if (!refresh) {
    if (const std::optional<Json> kept = file.find()) {
      if (take(*kept, facts)) return facts;
      file.damaged("a number is missing or below 0");
      facts = device.facts();
    }
  }
  facts = device.measure();
  if (facts.peak_flops <= 0) return facts;  // it cannot be measured
  facts.upload_bytes_per_second = measure_upload(device);
  facts.launch_seconds = measure_launch(device);
  Json kept;
  for (const auto& [name, member] : kKept) kept[name] = facts.*member;
  file.keep(kept);
  return facts;
}

}  // namespace temper
