#include "train/job.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "quantize/quantize.h"
#include "target/cost.h"
#include "train/frozen_cut.h"
#include "train/inference_model.h"
#include "train/interrupt.h"
#include "train/machine.h"
#include "train/memory.h"

namespace temper {
namespace {

constexpr int64_t kReadEvery = 16;       // steps between two looks at the sums on the device
constexpr double kShowEvery = 0.1;       // seconds between two reports of progress
constexpr double kSaveShare = 0.05;      // of the time that checkpoints may take
constexpr double kLeastInterval = 0.25;  // seconds between two checkpoints

FeatureOptions feature_options(const Setup& s, FrozenPart* prefix, uint64_t prefix_fingerprint, bool training,
                               TrainEvents& events, const Dataset& dataset) {
  FeatureOptions options;
  options.preprocess = s.preprocess;
  options.model = &s.model;
  options.prefix = prefix;
  options.prefix_fingerprint = prefix_fingerprint;
  options.cache = s.recipe.frozen_cache == "auto";
  options.memory = s.recipe.memory;
  options.loader.seed = static_cast<uint64_t>(s.recipe.seed);
  if (training) {
    options.loader.augment = s.augment;
    options.loader.views = s.recipe.views;
  }
  if (s.recipe.on_bad_sample == "skip") {
    options.loader.on_bad_sample = [&events, &dataset](int64_t sample, const std::string& message) {
      events.warning(concat("skipped ", dataset.name(sample), ": ", message));
    };
  }
  return options;
}

int64_t prefix_batch(const Recipe& recipe) { return std::clamp<int64_t>(recipe.batch, 8, 32); }

std::string why_nothing_is_frozen(const Setup& s) {
  const std::vector<std::string> statistics = running_statistics(s.model);
  const bool all = std::ranges::all_of(s.model.parameters, [&](const auto& entry) {
    return s.trainable.contains(entry.first) || std::ranges::count(statistics, entry.first) > 0;
  });
  return all ? concat("for all parameters train (trainable ", s.recipe.trainable, ")")
             : "for no frozen layer comes before the first that trains";
}

std::vector<float> weights_of_samples(const Dataset& dataset, const std::vector<float>& class_weights) {
  std::vector<float> weights;
  if (class_weights.empty() || dataset.kind != TargetKind::classes) return weights;
  for (int64_t label : dataset.labels) weights.push_back(class_weights.at(static_cast<size_t>(label)));
  return weights;
}

bool all_finite(const Tensor& tensor) {
  if (tensor.dtype() != DType::f32) return true;
  return std::ranges::all_of(tensor.values<float>(), [](float x) { return std::isfinite(x); });
}

}  // namespace

TrainJob::TrainJob(Setup& setup, const RunFolder& folder, RunSeconds& seconds, TrainEvents& events,
                   std::optional<Checkpoint> checkpoint)
    : setup_(setup), folder_(folder), seconds_(seconds), events_(events), state_(*setup.device) {
  const Recipe& recipe = setup.recipe;
  const Clock clock;
  parts_ =
      split_model(fold_frozen(*setup.device, setup.model, setup.trainable, setup.compile), setup.trainable);
  if (parts_.prefix) {
    const DType precision = choose_precision("frozen-precision", recipe.frozen_precision, "tune");
    if (precision != DType::f32) {
      exact_prefix_ = parts_.prefix;
      parts_.prefix = lower_prefix(precision);
    }
    prefix_ = load_prefix(*parts_.prefix);
  } else if (setup.roles) {
    throw Error(ErrorKind::invalid, concat("device: ", recipe.device, ": this recipe has no frozen part, ",
                                           why_nothing_is_frozen(setup)));
  }
  train_ = open(*setup.data.train, true);
  if (setup.data.val) val_ = open(*setup.data.val, false);
  (prefix_ ? seconds.frozen : seconds.load) += clock.seconds();

  const bool balanced = recipe.sampling == "balanced";
  batches_ = train_.source->batches(balanced ? LoaderOptions::Order::balanced : LoaderOptions::Order::shuffle,
                                    recipe.batch);
  set_initial_state(state_, parts_.rest, step_options(), static_cast<uint64_t>(recipe.seed));
  if (checkpoint) {
    for (const auto& [name, tensor] : checkpoint->state) state_.set(name, tensor);
    progress_ = checkpoint->progress;
    seconds_before_ = progress_.seconds;
    epoch_before_ = progress_.sums.seconds;
    if (progress_.best_epoch > 0 && keeps_best()) best_ = read_checkpoint(folder_.file(kBestFile)).state;
  }
  make_programs();
}

std::unique_ptr<FrozenPart> TrainJob::load_prefix(const Model& prefix) {
  Device &trainer = *setup_.device, &frozen = *setup_.frozen_device;
  const int64_t batch = prefix_batch(setup_.recipe);
  if (&frozen == &trainer)
    return std::make_unique<FrozenPart>(std::make_unique<FrozenPrefix>(frozen, prefix, batch, setup_.compile),
                                        trainer);
  events_.note(concat("the frozen part runs on ", frozen.name(), " while ", trainer.name(), " trains"));
  int64_t samples = setup_.data.train->size();
  if (setup_.data.val) samples += setup_.data.val->size();
  return load_frozen_part({.frozen = frozen,
                           .trainer = trainer,
                           .prefix = prefix,
                           .batch = batch,
                           .compile = setup_.compile,
                           .training_work = work_of_step(),
                           .samples = samples},
                          events_);
}

// Of a sample, by nominal_work.
double TrainJob::work_of_step() const {
  const StepOptions options = step_options();
  return nominal_work(build_step(parts_.rest, options)) / static_cast<double>(options.batch);
}

void TrainJob::make_programs() {
  const int64_t memory = setup_.recipe.memory;
  int64_t held = 0;  // by a checkpoint that is being written
  for (const std::string& name : state_.names()) held += state_.bytes(name);
  StepOptions options = step_options();
  const int64_t size = std::min(setup_.recipe.batch, setup_.data.train->size());
  compile_ = setup_.compile;
  if (memory > 0) {
    options.batch = size;
    compile_.memory_limit =
        program_memory(memory, *setup_.device, build_step(parts_.rest, options), compile_, held);
  }
  steps_ = std::make_unique<StepPrograms>(state_, parts_.rest, options, *train_.targets,
                                          weights_of_samples(*setup_.data.train, setup_.class_weights),
                                          compile_, memory);
  if (memory == 0) return;
  const Executable& step = steps_->prepare(size, options.part);
  events_.note(concat("memory: ", memory_text(step, memory, compile_.memory_limit)));
  if (setup_.data.val || setup_.data.test) eval_program();  // now rather than after an epoch
}

EvalProgram& TrainJob::eval_program() {
  if (!eval_) {
    const DType precision = choose_precision("precision", setup_.recipe.precision, "tune", true);
    const EvalOptions options{.batch = eval_batch(), .loss = setup_.loss, .precision = precision};
    eval_ = std::make_unique<EvalProgram>(state_, parts_.rest, options, averaged(), compile_);
  }
  return *eval_;
}

Model TrainJob::lower_prefix(DType precision) const {
  if (precision != DType::i8)
    return fold_frozen(*setup_.device, *exact_prefix_, {}, setup_.compile, precision);
  if (is_quantized(exact_prefix_->graph)) return *exact_prefix_;
  const std::vector<Tensor> batches =
      calibration_batches(*setup_.data.train, setup_.preprocess, static_cast<uint64_t>(setup_.recipe.seed));
  return quantize(*setup_.device, *exact_prefix_, batches, {.compile = setup_.compile});
}

TrainJob::Data TrainJob::open(const Dataset& dataset, bool training) {
  return open(dataset, training, parts_.prefix, prefix_.get());
}

TrainJob::Data TrainJob::open(const Dataset& dataset, bool training, const std::optional<Model>& prefix,
                              FrozenPart* loaded) {
  Data data;
  data.dataset = &dataset;
  const Graph one = with_batch(parts_.rest, 1);
  data.targets = std::make_unique<Targets>(dataset, setup_.loss, one.type(one.outputs.front().value));
  data.source = std::make_unique<FeatureSource>(
      dataset, feature_options(setup_, loaded, prefix ? fingerprint(*prefix) : 0, training, events_, dataset),
      events_);
  return data;
}

StepOptions TrainJob::step_options() const { return temper::step_options(setup_); }

std::set<std::string> TrainJob::averaged() const {
  return setup_.recipe.ema > 0 ? setup_.trainable : std::set<std::string>();
}

double TrainJob::last_rate() const {
  return nn::learning_rate(setup_.schedule, std::max<int64_t>(0, progress_.step - 1),
                           progress_.plateau.drops);
}

double TrainJob::rate() const {
  return nn::learning_rate(setup_.schedule, progress_.step, progress_.plateau.drops);
}

bool TrainJob::train() {
  const int64_t patience = setup_.recipe.patience;
  while (progress_.epoch < setup_.recipe.epochs) {
    if (patience > 0 && progress_.waited >= patience) return true;
    if (setup_.recipe.max_time > 0 && progress_.seconds >= setup_.recipe.max_time) return true;
    if (!train_epoch()) return true;
  }
  return false;
}

bool TrainJob::train_epoch() {
  const Clock clock;
  const double limit = setup_.recipe.max_time;
  bool in_time = true;
  batches_->start({progress_.epoch, progress_.sample});
  while (in_time) {
    const int64_t size = batches_->next();
    if (size == 0) break;
    one_step(size);
    progress_.sums.seconds = epoch_before_ + clock.seconds();
    progress_.seconds = seconds_before_ + clock_.seconds();
    save_if_due();
    if (stop_signal() != 0) {
      save(false);
      throw Interrupted();
    }
    in_time = limit == 0 || progress_.seconds < limit;
  }
  add_sums();
  const double seconds = epoch_before_ + clock.seconds();
  seconds_.train += clock.seconds();
  epoch_before_ = 0;
  finish_epoch(seconds);
  return in_time;
}

void TrainJob::one_step(int64_t size) {
  const int64_t together = setup_.recipe.accumulate;
  const LoaderPosition after = batches_->position();
  const bool last = after.sample >= batches_->samples();
  const bool updates = last || (progress_.batches + 1) % together == 0;
  const auto part = together == 1 ? StepOptions::whole : updates ? StepOptions::finish : StepOptions::gather;
  steps_->run(*batches_, size, part, rate(), progress_.step + 1);
  progress_.step += updates;
  progress_.sample = after.sample;
  progress_.sums.samples += size;
  trained_samples_ += size;
  if (++progress_.batches % kReadEvery == 0) add_sums();
  if (since_shown_.seconds() > kShowEvery) show_progress();
}

void TrainJob::show_progress() {
  const StepPrograms::Sums recent = steps_->look_at_sums();
  const EpochSums& sums = progress_.sums;
  events_.progress("train", progress_.sample, batches_->samples(),
                   {{"loss", (sums.loss + recent.loss) / (sums.weight + recent.weight)},
                    {"accuracy", (sums.correct + recent.correct) / static_cast<double>(sums.samples)}});
  since_shown_ = Clock();
}

void TrainJob::check_finite(const StepPrograms::Sums& sums) const {
  if (std::isfinite(sums.loss) && !std::isfinite(sums.bad_step)) return;
  const int64_t step = std::isfinite(sums.bad_step) ? static_cast<int64_t>(sums.bad_step) : progress_.step;
  const std::string kept =
      folder_.has(kLastFile) ? concat("; ", folder_.file(kLastFile), " is from before") : "";
  throw Error(
      ErrorKind::invalid,
      concat("the loss is not finite at step ", step, " (epoch ", progress_.epoch + 1, ", learning rate ",
             nn::learning_rate(setup_.schedule, std::max<int64_t>(0, step - 1), progress_.plateau.drops),
             "); try a smaller --lr, --warmup or --clip-norm", kept))
      .in_file(folder_.path);
}

void TrainJob::add_sums() {
  const StepPrograms::Sums sums = steps_->take_sums();
  check_finite(sums);
  progress_.sums.loss += sums.loss, progress_.sums.weight += sums.weight;
  progress_.sums.correct += sums.correct, progress_.sums.top5 += sums.top5;
}

void TrainJob::finish_epoch(double seconds) {
  const Clock clock;
  const EpochSums& sums = progress_.sums;
  EpochReport report{.epoch = progress_.epoch + 1,
                     .epochs = setup_.recipe.epochs,
                     .step = progress_.step,
                     .lr = last_rate()};
  report.train_loss = sums.weight > 0 ? sums.loss / sums.weight : std::nan("");
  const bool counts = setup_.loss.kind == "bce" || nn::takes_classes(setup_.loss);
  report.train_accuracy =
      counts ? sums.correct / static_cast<double>(std::max<int64_t>(1, sums.samples)) : std::nan("");
  std::optional<Evaluation> validation;
  if (setup_.data.val) {
    try {
      validation = evaluate(*setup_.data.val);
    } catch (const Interrupted&) {
      save(false);  // at the end of the epoch, so that resuming validates
      throw;
    }
    report.validated = true;
    report.val_loss = validation->loss, report.val_accuracy = validation->accuracy;
  }
  report.seconds = seconds + clock.seconds();
  seconds_.evaluate += clock.seconds();
  judge(report, validation);
}

void TrainJob::judge(EpochReport& report, const std::optional<Evaluation>& validation) {
  const std::string& monitor = setup_.recipe.monitor;
  const double value = monitor == "val.loss"         ? report.val_loss
                       : monitor == "val.accuracy"   ? -report.val_accuracy
                       : monitor == "train.accuracy" ? -report.train_accuracy
                                                     : report.train_loss;
  progress_.plateau.observe(setup_.schedule, value);
  report.best = !keeps_best() || value < progress_.best;
  progress_.waited = value < progress_.best ? 0 : progress_.waited + 1;
  progress_.best = std::min(progress_.best, value);
  if (report.best) {
    progress_.best_epoch = report.epoch;
    best_validation_ = validation;
  }
  progress_.history.push_back(report);
  ++progress_.epoch;
  progress_.sample = progress_.batches = 0;
  progress_.sums = {};
  progress_.seconds = seconds_before_ + clock_.seconds();
  events_.epoch(report);
  if (report.best && keeps_best()) {
    best_ = held(true);
    write_checkpoint(folder_.file(kBestFile), {best_, progress_});
    save(false);
  }
}

std::map<std::string, Tensor> TrainJob::held(bool parameters_only) const {
  std::map<std::string, Tensor> result;
  for (const std::string& name : steps_->state_names()) {
    if (!parameters_only || name.starts_with("param.") || name.starts_with("ema."))
      result[name] = state_.get(name);
  }
  return result;
}

void TrainJob::save_if_due() {
  if (since_save_.seconds() < std::max(kLeastInterval, save_seconds_ / kSaveShare)) return;
  save(false);
}

void TrainJob::save(bool finished) {
  const Clock clock;
  check_finite(steps_->look_at_sums());
  Checkpoint checkpoint{held(false), progress_};
  for (const auto& [name, tensor] : checkpoint.state) {
    if (name.starts_with("stat.") || all_finite(tensor)) continue;
    throw Error(ErrorKind::invalid,
                concat(name, " is not finite after step ", progress_.step, " (learning rate ", rate(),
                       "); try a smaller --lr, --warmup or --clip-norm"))
        .in_file(folder_.path);
  }
  checkpoint.progress.finished = finished;
  write_checkpoint(folder_.file(kLastFile), checkpoint);
  if (finished && !keeps_best()) write_checkpoint(folder_.file(kBestFile), {held(true), progress_});
  save_seconds_ = clock.seconds();
  since_save_ = Clock();
}

void TrainJob::use_best() {
  for (const auto& [name, tensor] : best_) state_.set(name, tensor);
}

Evaluation TrainJob::evaluate(const Dataset& dataset, const EachAnswer& each) {
  if (val_.dataset == &dataset) return evaluate(val_, each);
  if (train_.dataset == &dataset) return evaluate(train_, each);
  Data other = open(dataset, false);
  return evaluate(other, each);
}

std::optional<Evaluation> TrainJob::evaluate_exactly(const Dataset& dataset) {
  if (!exact_prefix_) return std::nullopt;
  const std::unique_ptr<FrozenPart> exact = load_prefix(*exact_prefix_);
  Data data = open(dataset, false, exact_prefix_, exact.get());
  return evaluate(data, {});
}

Evaluation TrainJob::evaluate(Data& data, const EachAnswer& each) {
  const Clock clock;
  EvalProgram* const program = &eval_program();
  if (!data.evaluation) data.evaluation = data.source->batches(LoaderOptions::Order::as_stored, eval_batch());
  Evaluation result =
      evaluate_batches({&program, 1}, *data.evaluation, *data.targets, setup_.model.labels, events_, each);
  result.seconds = clock.seconds();
  return result;
}

std::map<std::string, Tensor> TrainJob::parameters() const {
  std::map<std::string, Tensor> result;
  const std::set<std::string> average = averaged();
  for (const std::string& name : steps_->state_names()) {
    if (!name.starts_with("param.")) continue;
    const std::string own = name.substr(6);
    result[own] = state_.get(average.contains(own) ? "ema." + own : name);
  }
  return result;
}

}  // namespace temper
