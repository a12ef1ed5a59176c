#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/energy.h"
#include "base/memory.h"
#include "base/process_age.h"
#include "base/stop_signal.h"
#include "base/text.h"
#include "cli/command.h"
#include "data/loader.h"
#include "passes/passes.h"
#include "place/inference.h"
#include "quantize/quantize.h"
#include "report/table.h"
#include "runtime/device.h"
#include "target/cost.h"
#include "temper/error.h"
#include "train/auto_device.h"
#include "train/bench_step.h"
#include "train/frozen.h"
#include "train/inference_model.h"
#include "train/machine.h"
#include "train/memory.h"
#include "train/open_model.h"
#include "train/setup.h"

namespace temper::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Timing {
  std::vector<double> seconds;
  double ready = 0, first_run = 0;  // seconds from the start of the process to the first run, and to its end
  std::optional<double> joules;     // of a run, on average
  std::string energy_source, energy_why;
  double quantile(double share) const {
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    return sorted[std::min(sorted.size() - 1,
                           static_cast<size_t>(share * static_cast<double>(sorted.size())))];
  }
};

// Random values for every data input, so that no kernel meets only zeros or denormals; integers below
// `values`.
Tensor sample_input(const Type& type, int64_t values) {
  const auto count = static_cast<size_t>(type.shape.elements());
  std::vector<double> reals(count);
  std::vector<int64_t> integers(count);
  uint32_t state = 1;
  for (size_t i = 0; i < count; ++i) {
    state = state * 1664525 + 1013904223;
    reals[i] = state / 2147483648.0 - 1;
    integers[i] = static_cast<int64_t>(state / 4294967296.0 * static_cast<double>(values));
  }
  return is_float(type.dtype) ? from_doubles(type, reals) : from_int64s(type, integers);
}

struct Bench {
  Device& device;
  const Model& model;
  const ModelOptions& options;
  CompileOptions compile;
  BenchStep step;
  int64_t batch = 1, iterations = 0;
  double duration = 3;
  bool profile = false, peaks = true;
  TerminalEvents& events;
  double model_seconds = 0;  // for reading or making the model
};

// Two runs to warm up, then for `b.duration` seconds or exactly `b.iterations`, at least three.
template <class Step>
Timing measure(const Bench& b, Context* profiled, const Step& step) {
  Timing timing;
  timing.ready = process_age_seconds();
  step();
  timing.first_run = process_age_seconds();
  step();
  if (profiled) profiled->set_profiling(true);
  EnergyMeter meter;
  count_energy(meter, b.device);
  timing.energy_source = meter.source(), timing.energy_why = meter.why();
  const Clock::time_point start = Clock::now();
  while (stop_signal() == 0) {
    const auto count = static_cast<int64_t>(timing.seconds.size());
    const double elapsed = seconds_since(start);
    if (b.iterations > 0 ? count >= b.iterations : count >= 3 && elapsed >= b.duration) break;
    b.events.progress("bench", count, b.iterations, {});
    const Clock::time_point begin = Clock::now();
    step();
    timing.seconds.push_back(seconds_since(begin));
  }
  timing.joules = meter.joules();
  if (timing.joules && !timing.seconds.empty()) *timing.joules /= static_cast<double>(timing.seconds.size());
  return timing;
}

Json result_of(const Bench& b, const Timing& timing, double operations, double compile_seconds) {
  if (timing.seconds.empty())
    throw Error(ErrorKind::invalid, "interrupted before the first run was measured");
  const double median = timing.quantile(0.5);
  const int64_t peak_rss = peak_rss_bytes();  // before the limits are measured, which takes memory too
  const DeviceFacts facts = b.peaks ? b.device.measure() : b.device.facts();
  Json result = result_head("bench");
  result["device"] = b.device.name();
  result["precision"] = b.options.precision;
  result["batch"] = b.batch;
  result["threads"] = b.compile.threads;
  result["iterations"] = timing.seconds.size();
  result["model_seconds"] = b.model_seconds;
  result["compile_seconds"] = compile_seconds;
  result["ready_seconds"] = timing.ready;
  result["first_run_seconds"] = timing.first_run;
  result["median_ms"] = median * 1e3;
  result["p99_ms"] = timing.quantile(0.99) * 1e3;
  result["samples_per_second"] = static_cast<double>(b.batch) / median;
  result["gflops"] = operations / median * 1e-9;
  const double peak = b.step.precision == DType::bf16  ? facts.peak_bf16_flops
                      : b.step.precision == DType::f32 ? facts.peak_flops
                                                       : 0;  // of integers it is not measured
  result["peak_gflops"] = peak > 0 ? Json(peak * 1e-9) : Json();
  result["peak_rss_bytes"] = peak_rss;
  result["joules_per_sample"] = timing.joules ? Json(*timing.joules / static_cast<double>(b.batch)) : Json();
  result["energy_source"] = timing.energy_source.empty() ? Json() : Json(timing.energy_source);
  if (!timing.energy_why.empty()) result["energy_why"] = timing.energy_why;
  return result;
}

void print_result(const Json& result) {
  std::string text =
      concat("median ", short_number(result.at("median_ms").number()), " ms, p99 ",
             short_number(result.at("p99_ms").number()), " ms, ",
             short_number(result.at("samples_per_second").number()), " samples/s at batch ",
             result.at("batch").integer(), "\n", short_number(result.at("gflops").number()), " GFLOP/s");
  if (result.at("peak_gflops").is_number())
    text += concat(" of ", short_number(result.at("peak_gflops").number()), " measured peak (",
                   percent_text(result.at("gflops").number() / result.at("peak_gflops").number()), ")");
  text += concat(", peak memory ", byte_text(result.at("peak_rss_bytes").integer()), "\n");
  if (result.at("joules_per_sample").is_number())
    text += concat(short_number(result.at("joules_per_sample").number()), " J a sample (",
                   result.at("energy_source").text(), ")\n");
  if (const Json* parameters = result.find("parameters"))
    text += concat(parameters->integer(), " parameters, ",
                   short_number(result.at("plan").at("bytes").number() / parameters->number()),
                   " bytes read and written for each\n");
  if (const Json* memory = result.find("memory")) text += concat("memory: ", memory->at("text").text(), "\n");
  std::fputs(text.c_str(), stdout);
}

Json bench_step(const Bench& b) {
  const Clock::time_point start = Clock::now();
  std::unique_ptr<StepBench> made;
  const int64_t limit = b.options.memory_bytes();
  const int64_t left =
      limit > 0 ? program_memory(limit, b.device, bench_step_graph(b.model, b.step), b.compile) : 0;
  compile_within(limit, left, b.batch, [&](int64_t batch, int64_t memory) {
    BenchStep options = b.step;
    options.batch = batch;
    CompileOptions compile = b.compile;
    compile.memory_limit = memory;
    made = std::make_unique<StepBench>(b.device, b.model, options, compile);
  });
  StepBench& step = *made;
  const double compile_seconds = seconds_since(start);
  Context* const profiled = b.profile ? &step.context() : nullptr;
  const Timing timing = measure(b, profiled, [&] { step.run(); });
  Json result = result_of(b, timing, static_cast<double>(step.flops()), compile_seconds);
  result["steps"] = step.steps();
  double total = 0;
  for (double seconds : timing.seconds) total += seconds;
  result["seconds"] = total;
  if (b.step.update_only) {
    result["parameters"] = step.parameters();
  } else {
    result["loss_first"] = step.loss_first();
    result["loss_last"] = step.loss_last();
  }
  const Program& program = step.executable().program();
  int64_t state = 0;
  for (const Donation& pair : program.donations)
    state += byte_size(program.inputs[static_cast<size_t>(pair.input)].type);
  result["plan"] = describe_cost(step.executable(), state);
  if (limit > 0) result["memory"] = describe_memory(step.executable(), limit, left);
  if (profiled) result["launches"] = describe_profile(profiled->profile());
  return result;
}

// In integers, their ranges taken from random inputs if there are no others: speed does not depend on them.
Model integer_model(const Bench& b) {
  const auto seed = static_cast<uint64_t>(b.options.seed);
  if (!b.options.calibrate.empty() || is_quantized(b.model.graph))
    return inference_model(b.device, b.model, DType::i8, b.options.calibrate, seed, b.compile);
  b.events.note("int8: ranges are those of random inputs; --calibrate D takes them from data");
  const Model folded = fold_frozen(b.device, b.model, {}, b.compile);
  std::vector<Tensor> batches;
  for (const int at : data_inputs(folded)) {
    const std::vector<Port> port{folded.graph.inputs[static_cast<size_t>(at)]};
    const Graph sized = specialise(folded.graph, data_sizes(folded.graph, port, 1, b.step.sequence));
    batches.push_back(sample_input(sized.type(sized.find_input(port[0].name)), 2));
  }
  return quantize(b.device, folded, batches, {.compile = b.compile});
}

Json bench_inference(const Bench& b) {
  const Clock::time_point start = Clock::now();
  const bool integers = b.step.precision == DType::i8;
  Inference inference(b.device, integers ? integer_model(b) : b.model,
                      {.compile = b.compile, .precision = integers ? DType::f32 : b.step.precision});
  const Graph& graph = inference.graph();
  const SymbolSizes sizes = data_sizes(graph, inference.inputs(), b.step.batch, b.step.sequence);
  Inference::Prepared& prepared = inference.prepare(sizes);
  const double compile_seconds = seconds_since(start);
  const Program& program = prepared.executable->program();
  for (size_t i = 0; i < prepared.data.size(); ++i) {
    const size_t at = prepared.data[i];
    const int64_t values = integer_values(graph, inference.inputs()[i].value);
    b.device.copy(sample_input(program.inputs[at].type, values), prepared.arguments[at]);
  }
  Context* const profiled = b.profile ? prepared.context.get() : nullptr;
  const Timing timing = measure(b, profiled, [&] { inference.run(prepared); });
  const auto operations = static_cast<double>(flops(specialise(graph, sizes)));
  Json result = result_of(b, timing, operations, compile_seconds);
  int64_t kept = 0;
  for (size_t i = 0; i < program.inputs.size(); ++i)
    if (std::ranges::find(prepared.data, i) == prepared.data.end()) kept += byte_size(program.inputs[i].type);
  result["plan"] = describe_cost(*prepared.executable, kept);
  if (profiled) result["launches"] = describe_profile(profiled->profile());
  return result;
}

// Pictures read, scaled and made batches of, over and over; nothing computes on them.
Json bench_loader(const Bench& b, const std::string& data) {
  const DataSplits splits = open_data({.data = data, .split = false});
  const Dataset& dataset = splits.train ? *splits.train : splits.val ? *splits.val : *splits.test;
  Loader loader(dataset, preprocess_of(b.model),
                {.order = LoaderOptions::Order::shuffle, .batch = b.batch, .seed = b.step.seed});
  int64_t samples = 0, epoch = 0;
  const auto some = [&](double seconds) {
    const Clock::time_point start = Clock::now();
    while (stop_signal() == 0 && seconds_since(start) < seconds) {
      const std::optional<Batch> batch = loader.next();
      if (batch) samples += static_cast<int64_t>(batch->indices.size());
      if (!batch) loader.start({++epoch, 0});
    }
    return seconds_since(start);
  };
  some(b.duration / 4);
  samples = 0;
  const double seconds = some(b.duration);
  Json result = result_head("bench");
  result["data"] = data;
  result["batch"] = b.batch;
  result["threads"] = b.compile.threads;
  result["samples"] = samples;
  result["seconds"] = seconds;
  result["samples_per_second"] = static_cast<double>(samples) / seconds;
  result["peak_rss_bytes"] = peak_rss_bytes();
  return result;
}

void print_loader(const Json& result) {
  std::fputs(concat(short_number(result.at("samples_per_second").number()), " samples/s of ",
                    result.at("data").text(), " decoded in batches of ", result.at("batch").integer(), "\n")
                 .c_str(),
             stdout);
}

}  // namespace

int bench(const std::vector<std::string>& words) {
  Arguments arguments("bench",
                      "Latency, throughput and achieved over measured peak; --train for a training step.",
                      "temper bench mobilenet_v2 --batch 32 --train", words);
  ModelOptions options;
  Common common;
  BenchStep step;
  int64_t batch = 1, iterations = 0;
  double duration = 3;
  bool training = false, profile = false, no_peaks = false;
  std::string data;
  options.declare(arguments);
  arguments.option("batch", batch, "N", "samples a run");
  arguments.option("sequence", step.sequence, "N",
                   "tokens a sample, where the model leaves their number free");
  arguments.option("iterations", iterations, "N", "runs to measure (default: as many as fit the duration)");
  arguments.option("duration", duration, "SECONDS", "how long to measure");
  arguments.flag("train", training, "a training step on random data: all parameters train");
  arguments.flag("update", step.update_only, "only the optimizer's update of all parameters");
  arguments.option("optimizer", step.optimizer, "NAME", "of the training step; sgd has momentum 0.9");
  arguments.option("clip-norm", step.clip_norm, "X", "largest norm of the whole gradient; 0: any");
  arguments.option("ema", step.ema, "DECAY", "keep a moving average of the parameters; 0: none");
  arguments.option("data", data, "D",
                   "only what reads pictures for the model, from class folders and the like");
  arguments.flag("profile", profile, "what each launch of a run takes; measuring it costs a little");
  arguments.flag("no-peaks", no_peaks,
                 "do not measure what the device can do at most, which takes half a second");
  common.declare(arguments);
  if (!arguments.parse()) return 0;
  for (const auto& [option, count] : {std::pair("batch", batch), std::pair("sequence", step.sequence)})
    if (count < 1)
      throw Error(ErrorKind::invalid, concat("--", option, ": expected at least 1, found ", count));

  TerminalEvents events(common);
  Device& device = choose_device(known_device(options.device, options.model));
  CompileOptions compile;
  compile.threads = choose_threads(options.threads);
  compile.memory_limit = options.memory_bytes();
  step.batch = batch;
  step.precision = choose_precision("precision", options.precision, "bench", training);
  step.seed = static_cast<uint64_t>(options.seed);
  const Clock::time_point start = Clock::now();
  const Model model = open_model({options.model, options.weights, options.shape, options.preprocess,
                                  options.labels, static_cast<uint64_t>(options.seed)},
                                 events);
  const Bench b{device,     model,    options, compile,   step,   batch,
                iterations, duration, profile, !no_peaks, events, seconds_since(start)};
  if (!data.empty()) {
    const Json result = bench_loader(b, data);
    events.clear();
    if (!common.json) print_loader(result);
    return finish(common, result);
  }
  const Json result = training || step.update_only ? bench_step(b) : bench_inference(b);
  events.clear();
  if (!common.json) print_result(result);
  if (!common.json && profile) print_profile(result.at("launches"));
  return finish(common, result);
}

}  // namespace temper::cli
