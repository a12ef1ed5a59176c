#include "train/auto_device.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>

#include "base/log.h"
#include "base/text.h"
#include "place/race.h"
#include "report/table.h"
#include "runtime/registry.h"
#include "target/cost.h"
#include "temper/error.h"
#include "train/frozen.h"
#include "train/machine.h"
#include "train/programs.h"

namespace temper {
namespace {

constexpr double kFlopsOfAThread = 50e9;  // per second: to know a long job from a short one
constexpr double kLeastBudget = 1;        // seconds: with less, other devices are not even opened
constexpr double kForTheHost = 10;        // the same, for other ways to the same processor

struct Job {
  ModelParts parts;
  StepOptions step;
  int64_t prefix_rounds = 0;  // how often a sample goes through the frozen part
  double batches = 0;         // of all epochs
  double seconds = 0;         // guessed
};

double at_most(const Setup& setup, double seconds) {
  return setup.recipe.max_time > 0 ? std::min(seconds, setup.recipe.max_time) : seconds;
}

double seconds_of(const Setup& setup, double operations) {
  return at_most(setup, operations / (kFlopsOfAThread * setup.compile.threads));
}

// As if all of the model trained: three times what an answer takes.
double most_seconds(const Setup& setup) {
  return seconds_of(setup, 3.0 * static_cast<double>(flops(with_batch(setup.model, 1))) *
                               static_cast<double>(setup.data.train->size() * setup.recipe.epochs));
}

Job job_of(const Setup& setup) {
  const Recipe& recipe = setup.recipe;
  Job job{.parts = split_model(fold_frozen(open_device("cpu"), setup.model, setup.trainable, setup.compile),
                               setup.trainable),
          .step = step_options(setup)};
  const auto samples = static_cast<double>(setup.data.train->size()),
             epochs = static_cast<double>(recipe.epochs);
  job.step.batch = std::min(recipe.batch, setup.data.train->size());
  const double of_step = static_cast<double>(flops(build_step(job.parts.rest, job.step)));
  job.batches = epochs * samples / static_cast<double>(job.step.batch);
  double total = of_step * job.batches;
  if (job.parts.prefix) {
    const bool cached = recipe.frozen_cache == "auto";
    job.prefix_rounds = !cached                  ? recipe.epochs
                        : recipe.augment.empty() ? 1
                                                 : std::max<int64_t>(1, recipe.views);
    total += static_cast<double>(flops(with_batch(*job.parts.prefix, 1))) * samples *
             static_cast<double>(job.prefix_rounds);
  }
  job.seconds = seconds_of(setup, total);
  return job;
}

// A step on a device, on zeros: nothing is learned.
class StepTrial {
 public:
  StepTrial(Device& device, const Model& model, StepOptions options, CompileOptions compile)
      : state_(device) {
    options.replicas = replicas_for(device, options.batch);
    const Graph graph = build_step(model, options);
    set_initial_state(state_, model, options, 0);
    share_out(graph, options.replicas, compile);
    program_.emplace(state_, graph, compile);
  }
  void run() { program_->run(); }

 private:
  DeviceState state_;
  std::optional<BoundProgram> program_;
};

// The frozen part of one batch, on zeros.
class PrefixTrial {
 public:
  PrefixTrial(Device& device, const Model& prefix, int64_t batch, const CompileOptions& compile)
      : prefix_(device, prefix, batch, compile) {
    inputs_ = Tensor(prefix_.batch_type());
    for (const Type& one : prefix_.feature_types()) {
      Shape shape = one.shape;
      shape[0] = shape.size(0) * inputs_.shape().size(0);
      features_.emplace_back(Type{one.dtype, shape});
    }
  }
  void run() { prefix_.compute(inputs_, features_, 0); }

 private:
  FrozenPrefix prefix_;
  Tensor inputs_;
  std::vector<Tensor> features_;
};

// What one batch takes of the job: its step, and its share of the frozen part.
std::vector<Lap> laps_on(Device& device, const Setup& setup, const Job& job) {
  const auto step = std::make_shared<StepTrial>(device, job.parts.rest, job.step, setup.compile);
  std::vector<Lap> laps = {{[step] { step->run(); }}};
  if (!job.parts.prefix) return laps;
  const auto prefix = std::make_shared<PrefixTrial>(device, *job.parts.prefix, job.step.batch, setup.compile);
  laps.push_back({[prefix] { prefix->run(); },
                  static_cast<double>(job.prefix_rounds) / static_cast<double>(setup.recipe.epochs)});
  return laps;
}

std::vector<Entrant> entrants(const Setup& setup, const Job& job) {
  std::vector<Entrant> all;
  for (const std::string& name : device_names()) {
    try {
      Device& device = open_device(name);
      if (name != "cpu" && device.facts().on_host && race_budget(job.seconds) < kForTheHost) {
        log_debug("auto: ", name, " is the same processor, and the job too short for the difference");
        continue;
      }
      all.push_back({name, [&device, &setup, &job] { return laps_on(device, setup, job); }});
    } catch (const Error& error) {
      log_debug("auto: ", name, " is not here: ", error.what());
    }
  }
  return all;
}

}  // namespace

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool is_auto(std::string_view names) {
  if (!names.empty() && names != "auto") return false;
  const char* variable = std::getenv("TEMPER_DEVICE");
  return !variable || !*variable || std::string_view(variable) == "auto";
}

std::string known_device(const std::string& names, const std::string& model) {
  if (!is_auto(names)) return names;
  for (const bool trains : {false, true}) {
    const std::optional<Remembered> known = remembered_device(model, trains);
    if (!known) continue;
    if (known->device == "cpu") return "cpu";
    log_info("auto: ", known->device, ", as measured before: ", known->evidence);
    return known->device + ",cpu";
  }
  return "cpu";
}

Device& auto_device(const Setup& setup, TrainEvents& events, const std::function<double()>& now) {
  if (const std::optional<Remembered> known = remembered_device(setup.recipe.model, true)) {
    try {
      Device& device = open_device(known->device);
      events.note(concat("auto: ", device.name(), ", as measured before: ", known->evidence));
      return device;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::device) throw;
      events.note(
          concat("auto: ", known->device, " was the fastest, but does not answer now: ", error.what()));
    }
  }
  const auto too_short = [&](double seconds) {
    if (race_budget(seconds) >= kLeastBudget) return false;
    log_debug("auto: cpu; a job of about ", duration_text(seconds), " is too short to measure devices");
    return true;
  };
  if (too_short(most_seconds(setup))) return open_device("cpu");
  const Job job = job_of(setup);
  if (too_short(job.seconds)) return open_device("cpu");
  const std::vector<Entrant> all = entrants(setup, job);
  if (all.size() == 1) {
    log_debug("auto: cpu, for nothing else is here");
    return open_device("cpu");
  }
  const auto budget = [&](double of_batch) { return race_budget(at_most(setup, of_batch * job.batches)); };
  const RaceResult result = race(all, budget, now);
  if (result.winner < 0)
    throw Error(ErrorKind::device, concat("auto: no device takes the job: ", to_string(result)));
  const RaceResult::Result& winner = result.results[static_cast<size_t>(result.winner)];
  const std::string evidence = concat("a batch takes ", to_string(result));
  events.note(
      concat("auto: ", winner.device, ", ", evidence, "; measured in ", duration_text(result.seconds)));
  if (std::ranges::none_of(result.results, &RaceResult::Result::skipped))  // a longer job may ask again
    remember_device(setup.recipe.model, true, {winner.device, *winner.seconds, evidence});
  return open_device(winner.device);
}

}  // namespace temper
