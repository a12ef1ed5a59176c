#include "runtime/peaks.h"

#include <algorithm>
#include <chrono>

#include "ops/primitives.h"
#include "runtime/compile.h"
#include "temper/error.h"

namespace temper {

namespace {

constexpr double kSeconds = 0.15;  // for each

double best_seconds(Device& device, const Graph& graph) {
  using Clock = std::chrono::steady_clock;
  const std::unique_ptr<Executable> executable = compile(device, graph);
  const std::unique_ptr<Context> context = executable->make_context();
  std::vector<Tensor> arguments, results(executable->program().outputs.size());
  for (const Argument& input : executable->program().inputs)
    arguments.push_back(upload(device, Tensor(input.type), input));
  executable->run(*context, arguments, results);
  double best = 1e9;
  for (const auto begin = Clock::now();
       std::chrono::duration<double>(Clock::now() - begin).count() < kSeconds;) {
    const auto start = Clock::now();
    executable->run(*context, arguments, results);
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
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

}  // namespace temper
