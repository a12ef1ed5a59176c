#include "train/advise.h"

#include <algorithm>
#include <chrono>

#include "base/energy.h"
#include "base/text.h"
#include "data/dataset.h"
#include "passes/passes.h"
#include "place/cost_model.h"
#include "place/inference.h"
#include "place/published.h"
#include "place/race.h"
#include "runtime/registry.h"
#include "train/bench_step.h"
#include "train/machine.h"
#include "train/programs.h"

namespace temper {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr double kMeasured = 1;  // seconds for each device
constexpr size_t kMostSteps = 50;

// A step ready to run on a device: of training, or of inference.
struct Ready {
  std::unique_ptr<StepBench> training;
  std::unique_ptr<Inference> inference;
  Inference::Prepared* prepared = nullptr;

  const Executable& executable() const { return training ? training->executable() : *prepared->executable; }
  void run() {
    if (training) return training->run();
    inference->run(*prepared);
  }
};

class Adviser {
 public:
  Adviser(const AdviseOptions& options, TrainEvents& events) : options_(options), events_(events) {
    precision_ = choose_precision("precision", options.precision, "advise", true);
    compile_.threads = choose_threads(options.threads);
    advice_.prices = read_prices(options.prices);
    if (!options.data.empty()) count_samples();
    model_ = open_model(options.model, events);
  }

  Advice advise() {
    for (const std::string& name : device_names()) {
      if (name == "tpu") continue;  // one that is here has a plug-in, too
      here(name);
    }
    elsewhere();
    for (Candidate& candidate : advice_.candidates) conclude(candidate);
    advice_.choice = choose(advice_.candidates, options_.goal);
    if (advice_.choice.candidate >= 0) remember();
    return std::move(advice_);
  }

 private:
  void count_samples() {
    const DataSplits data = open_data({.data = options_.data, .split = false});
    for (const auto* part : {&data.train, &data.val, &data.test})
      if (*part) advice_.samples += (*part)->size();
  }

  BenchStep step() const {
    return {.batch = options_.batch, .sequence = options_.sequence, .precision = precision_};
  }
  SymbolSizes sizes(const Graph& graph, const std::vector<Port>& inputs) const {
    return data_sizes(graph, inputs, options_.batch, options_.sequence);
  }

  Ready prepare(Device& device) const {
    Ready ready;
    if (options_.trains) {
      ready.training = std::make_unique<StepBench>(device, model_, step(), compile_);
      return ready;
    }
    ready.inference = std::make_unique<Inference>(
        device, model_, Inference::Options{.compile = compile_, .precision = precision_});
    ready.prepared = &ready.inference->prepare(sizes(ready.inference->graph(), ready.inference->inputs()));
    return ready;
  }

  void here(const std::string& name) {
    Candidate& candidate = advice_.candidates.emplace_back();
    candidate.device = name;
    candidate.source = options_.measures ? Candidate::measured : Candidate::predicted;
    try {
      Device& device = open_device(name);
      Ready ready = prepare(device);
      const DeviceFacts facts = device.facts();
      const MemoryUse& memory = ready.executable().program().memory;
      candidate.memory_bytes = memory.code + memory.total();
      candidate.memory_limit = options_.memory > 0 ? options_.memory : facts.target.memory_bytes;
      if (memory_ == 0) memory_ = candidate.memory_bytes;
      if (options_.measures)
        measure(device, ready, candidate);
      else
        predict(device, ready.executable(), candidate);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::device && error.kind() != ErrorKind::unsupported &&
          error.kind() != ErrorKind::exhausted)
        throw;
      candidate.step_seconds.reset();
      candidate.why = error.what();
    }
  }

  // The median.
  void measure(Device& device, Ready& ready, Candidate& candidate) {
    ready.run();
    ready.run();
    std::vector<double> seconds;
    EnergyMeter meter;
    count_energy(meter, device);
    const auto begin = SteadyClock::now();
    const auto since = [](SteadyClock::time_point start) {
      return std::chrono::duration<double>(SteadyClock::now() - start).count();
    };
    while (seconds.size() < 3 || (seconds.size() < kMostSteps && since(begin) < kMeasured)) {
      events_.progress(concat("measure ", candidate.device), static_cast<int64_t>(seconds.size()), 0, {});
      const auto start = SteadyClock::now();
      ready.run();
      seconds.push_back(since(start));
    }
    // The counters are the processors': they say what a device took that has none of its own.
    const std::optional<double> joules = device.facts().power_counter.empty() ? std::nullopt : meter.joules();
    if (joules) {
      candidate.joules_per_sample =
          *joules / static_cast<double>(seconds.size()) / static_cast<double>(options_.batch);
      candidate.energy_source = meter.source();
    } else {
      candidate.energy_why = meter.why().empty() ? "the device says of no counter" : meter.why();
    }
    std::ranges::sort(seconds);
    candidate.step_seconds = seconds[seconds.size() / 2];
  }

  void predict(Device& device, const Executable& executable, Candidate& candidate) {
    const Calibration calibration =
        kept_calibration(device, compile_.threads, options_.refresh, [&](int64_t done, int64_t total) {
          events_.progress(concat("calibrate ", candidate.device), done, total, {});
        });
    candidate.step_seconds = CostModel(calibration).seconds(works_of(executable));
    candidate.energy_why = "only what runs is counted; without --no-measure it would";
  }

  void elsewhere() {
    const Graph graph = options_.trains ? bench_step_graph(model_, step())
                                        : specialise(model_.graph, sizes(model_.graph, model_.graph.inputs));
    const std::vector<Work> works = works_of(graph);
    for (const PublishedDevice& published : published_devices()) {
      Candidate& candidate = advice_.candidates.emplace_back();
      candidate.device = published.name;
      const Estimate guess = estimate(published, works, precision_, options_.trains);
      candidate.step_seconds = guess.seconds;
      candidate.why = guess.seconds ? concat(published.title, ", by published peaks: ", published.source)
                                    : concat(published.title, ": ", guess.why);
      candidate.memory_bytes = static_cast<int64_t>(static_cast<double>(memory_) * guess.width);
      candidate.memory_limit = static_cast<int64_t>(published.memory_bytes);
      if (published.watts > 0 && guess.seconds) {
        candidate.joules_per_sample = published.watts * *guess.seconds / static_cast<double>(options_.batch);
        candidate.energy_source = concat("its most of ", published.watts, " W by the time");
      } else if (published.watts <= 0) {
        candidate.energy_why = "what it takes is not published";
      }
    }
  }

  void conclude(Candidate& candidate) const {
    if (!candidate.step_seconds) return;
    candidate.samples_per_second = static_cast<double>(options_.batch) / *candidate.step_seconds;
    if (const std::optional<double> price = advice_.prices.of(candidate.device))
      candidate.money_per_million = *price / 3600 * 1e6 / candidate.samples_per_second;
  }

  void remember() {
    const Candidate& best = advice_.candidates[static_cast<size_t>(advice_.choice.candidate)];
    if (advice_.samples > 0)
      advice_.pass_seconds = static_cast<double>(advice_.samples) / best.samples_per_second;
    if (options_.measures && options_.goal == Goal::time)
      remember_device(options_.model.model, options_.trains,
                      {best.device, *best.step_seconds, advice_.choice.evidence});
  }

  const AdviseOptions& options_;
  TrainEvents& events_;
  Model model_;
  DType precision_ = DType::f32;
  CompileOptions compile_;
  int64_t memory_ = 0;  // of the first that compiled it
  Advice advice_;
};

}  // namespace

Advice advise(const AdviseOptions& options, TrainEvents& events) { return Adviser(options, events).advise(); }

}  // namespace temper
