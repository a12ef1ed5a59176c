#include "train/trainer.h"

#include <cmath>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "formats/format.h"
#include "train/export.h"
#include "train/interrupt.h"
#include "train/job.h"
#include "train/metered_events.h"
#include "train/report.h"
#include "train/result.h"

namespace temper {
namespace {

class Training {
 public:
  Training(const Recipe& recipe, TrainEvents& events, double seconds_before)
      : wanted_(recipe), events_(events) {
    result_.seconds.start = seconds_before;
  }

  TrainResult run() {
    // A mistake in the recipe leaves no folder behind; the folder must be there before anything long begins.
    check(wanted_);
    folder_ = open_run_folder(wanted_);
    try {
      work();
    } catch (const Interrupted&) {
      result_.status = TrainResult::interrupted;
      result_.stop_signal = stop_signal();
      events_.note(concat("stopped; go on with --out ", folder_.path, " --resume"));
      finish_result();
    } catch (...) {
      abandon_run(folder_);
      throw;
    }
    return result_;
  }

 private:
  void work() {
    std::optional<Checkpoint> checkpoint;
    const Clock loading;
    std::optional<Recipe> stored;
    if (wanted_.resume && folder_.has(kRecipeFile)) stored = read_recipe(folder_.file(kRecipeFile));
    Setup setup = prepare(stored ? resumed(*stored, wanted_) : wanted_, events_);
    if (stored) check_unchanged(*stored, setup.recipe);
    if (stored && folder_.has(kLastFile)) checkpoint = read_checkpoint(folder_.file(kLastFile));
    if (!wanted_.resume) clear_run(folder_);
    write_file(folder_.file(kRecipeFile), to_toml(setup.recipe));
    result_.seconds.load = loading.seconds();
    describe(setup);
    stop_if_asked();
    if (checkpoint) {
      result_.resumed_from_step = checkpoint->progress.step;
      events_.note(concat("going on from step ", checkpoint->progress.step, " of ", folder_.file(kLastFile)));
    } else if (wanted_.resume) {
      events_.note(concat(folder_.path, " holds no checkpoint: the run starts afresh"));
    }
    TrainJob job(setup, folder_, result_.seconds, events_, std::move(checkpoint));
    if (job.has_frozen_part()) result_.frozen_device = setup.frozen_device->name();
    try {
      const bool early = job.train();
      result_.status = early ? TrainResult::stopped_early : TrainResult::completed;
      conclude(setup, job);
    } catch (const Interrupted&) {
      note_progress(job);
      throw;
    }
  }

  void describe(const Setup& setup) {
    result_.device = setup.device->name();
    count_energy(events_.meter(), *setup.device);
    result_.precision = setup.recipe.precision;
    result_.frozen_precision = setup.recipe.frozen_precision;
    result_.threads = setup.compile.threads;
    result_.seed = setup.recipe.seed;
    for (const auto& [name, tensor] : setup.model.parameters) {
      result_.parameters_total += tensor.elements();
      if (setup.trainable.contains(name)) result_.parameters_trained += tensor.elements();
    }
  }

  void note_progress(const TrainJob& job) {
    const RunProgress& progress = job.progress();
    result_.epochs = progress.epoch;
    result_.best_epoch = progress.best_epoch;
    result_.history = progress.history;
    if (result_.seconds.train > 0) {
      trained_samples_ = job.trained_samples();
      result_.samples_per_second = static_cast<double>(trained_samples_) / result_.seconds.train;
    }
    for (const EpochReport& report : progress.history) {
      if (report.epoch != progress.best_epoch) continue;
      result_.train = Scores{report.train_loss, report.train_accuracy};
      if (report.validated) result_.val = Scores{report.val_loss, report.val_accuracy};
    }
    write_file(folder_.file(kHistoryFile), history_csv(progress.history));
  }

  // The best epoch's model is tested and written.
  void conclude(Setup& setup, TrainJob& job) {
    job.save(true);
    job.use_best();
    note_progress(job);
    const Clock clock;
    Gallery gallery;
    const auto add = [&](int64_t sample, std::span<const float> scores, double) {
      gallery.add(sample, scores);
    };
    const Dataset* shown = nullptr;
    if (setup.data.val && setup.data.test && job.best_validation()) {
      result_.val_details = *job.best_validation();
    } else if (setup.data.val) {
      shown = &*setup.data.val;
      result_.val_details = job.evaluate(*shown, add);
    }
    if (result_.val_details) result_.val_details->split = "val";
    judge_frozen_precision(setup, job);
    if (setup.data.test) {
      gallery = {};
      shown = &*setup.data.test;
      result_.test = job.evaluate(*shown, add);
      result_.test->split = "test";
    }
    result_.seconds.evaluate += clock.seconds();
    result_.seconds.overlapped = job.overlapped_seconds();
    events_.progress("save", 0, 1, {});
    const Model model = trained_model(setup.model, job.parameters(), setup.loss, setup.recipe.logits);
    Model written = model;
    if (!setup.preprocess.steps.empty()) written.preprocess = setup.preprocess;
    write_model(written, folder_.file(kModelFile));
    events_.progress("save", 1, 1, {});
    result_.seconds.total = result_.seconds.start + clock_.seconds();
    std::vector<SamplePrediction> samples;
    if (shown) samples = gallery.predictions(*shown, written.labels, 24);
    write_file(folder_.file(kReportFile), report_page(setup.recipe, result_, std::move(samples)));
    finish_result();
    write_file(folder_.file(kResultFile), to_json(result_) + "\n");
  }

  void judge_frozen_precision(const Setup& setup, TrainJob& job) {
    if (setup.recipe.frozen_precision == "f32") return;
    if (!setup.data.val) {
      events_.note("frozen-precision: without validation data its effect is not measured");
      return;
    }
    const std::optional<Evaluation> exact = job.evaluate_exactly(*setup.data.val);
    if (!exact) return;
    result_.val_exact = Scores{exact->loss, exact->accuracy};
    const Evaluation& lower = *result_.val_details;
    events_.note(frozen_effect(setup.recipe, {lower.loss, lower.accuracy}, *result_.val_exact));
  }

  void finish_result() {
    for (const auto& [name, file] : {std::pair{"model", kModelFile},
                                     {"best", kBestFile},
                                     {"last", kLastFile},
                                     {"recipe", kRecipeFile},
                                     {"history", kHistoryFile},
                                     {"report", kReportFile},
                                     {"result", kResultFile}}) {
      if (folder_.has(file) || std::string_view(file) == kResultFile)
        result_.files[name] = folder_.file(file);
    }
    if (result_.status == TrainResult::interrupted && !folder_.has(kResultFile))
      result_.files.erase("result");
    result_.seconds.total = result_.seconds.start + clock_.seconds();
    result_.peak_rss_bytes = peak_rss_bytes();
    EnergyMeter& meter = events_.meter();
    result_.energy_joules = meter.joules();
    result_.energy_source = meter.source(), result_.energy_why = meter.why();
    result_.joules_per_epoch = events_.joules_per_epoch();
    if (result_.energy_joules && trained_samples_ > 0)
      result_.joules_per_sample = *result_.energy_joules / static_cast<double>(trained_samples_);
  }

  const Recipe& wanted_;
  MeteredEvents events_;
  RunFolder folder_;
  TrainResult result_;
  Clock clock_;
  int64_t trained_samples_ = 0;
};

}  // namespace

std::string devices_text(const TrainResult& result) {
  const bool two = !result.frozen_device.empty() && result.frozen_device != result.device;
  return two ? concat(result.device, ", the frozen part on ", result.frozen_device) : result.device;
}

std::string frozen_effect(const Recipe& recipe, const Scores& lower, const Scores& exact) {
  std::string effect = concat("the frozen part in ", recipe.frozen_precision, " gives validation accuracy ",
                              100 * lower.accuracy, " % and loss ", lower.loss, ", in f32 ",
                              100 * exact.accuracy, " % and loss ", exact.loss);
  constexpr double kRounding = 1e-9;  // one sample of a hundred is a point, however it is written
  if (100 * std::abs(lower.accuracy - exact.accuracy) <= recipe.max_drop + kRounding) return effect;
  throw Error(ErrorKind::invalid, concat("frozen-precision: ", effect, ": more than --max-drop ",
                                         recipe.max_drop, " apart; use --frozen-precision f32"));
}

TrainResult train(const Recipe& recipe, TrainEvents& events, double seconds_before) {
  return Training(recipe, events, seconds_before).run();
}

}  // namespace temper
