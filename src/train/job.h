#pragma once
// A run in progress: model, data and programs on the device, the loop over epochs, checkpoints.
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "train/checkpoint.h"
#include "train/eval_program.h"
#include "train/features.h"
#include "train/frozen_part.h"
#include "train/programs.h"
#include "train/run_folder.h"
#include "train/setup.h"
#include "train/trainer.h"

namespace temper {

class Clock {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class TrainJob {
 public:
  // Splits off the frozen part, fills the caches, compiles. Goes on from `checkpoint` if there is one.
  TrainJob(Setup& setup, const RunFolder& folder, RunSeconds& seconds, TrainEvents& events,
           std::optional<Checkpoint> checkpoint);

  // Until all epochs are done, patience or time runs out (true: earlier than planned). Throws Interrupted
  // after saving; Error invalid if the loss or a parameter is not finite.
  bool train();

  void use_best();  // the state becomes that of the best epoch
  Evaluation evaluate(const Dataset& data, const EachAnswer& each = {});
  // With the frozen part in f32, if it runs in less: what the written model will give.
  std::optional<Evaluation> evaluate_exactly(const Dataset& data);
  std::map<std::string, Tensor> parameters() const;  // trained ones and statistics, or averages
  void save(bool finished);
  const RunProgress& progress() const { return progress_; }
  const std::optional<Evaluation>& best_validation() const { return best_validation_; }
  int64_t trained_samples() const { return trained_samples_; }
  bool has_frozen_part() const { return prefix_ != nullptr; }
  double overlapped_seconds() const { return prefix_ && prefix_->overlaps() ? prefix_->seconds() : 0; }

 private:
  struct Data {
    const Dataset* dataset = nullptr;
    std::unique_ptr<Targets> targets;
    std::unique_ptr<FeatureSource> source;
    std::unique_ptr<Batches> evaluation;
  };
  std::unique_ptr<FrozenPart> load_prefix(const Model& prefix);
  void make_programs();
  EvalProgram& eval_program();
  int64_t eval_batch() const { return std::max<int64_t>(setup_.recipe.batch, 32); }
  Data open(const Dataset& dataset, bool training);
  Data open(const Dataset& dataset, bool training, const std::optional<Model>& prefix, FrozenPart* loaded);
  Evaluation evaluate(Data& data, const EachAnswer& each);
  Model lower_prefix(DType precision) const;  // what is computed instead of exact_prefix_
  StepOptions step_options() const;
  double work_of_step() const;
  bool train_epoch();  // false: time is up
  void one_step(int64_t size);
  void check_finite(const StepPrograms::Sums& sums) const;
  void add_sums();
  void finish_epoch(double seconds);
  void judge(EpochReport& report, const std::optional<Evaluation>& validation);
  void save_if_due();
  std::map<std::string, Tensor> held(bool parameters_only) const;
  bool keeps_best() const { return !setup_.recipe.monitor.empty(); }
  void show_progress();
  std::set<std::string> averaged() const;
  double rate() const;       // of the next update
  double last_rate() const;  // of the one before

  Setup& setup_;
  const RunFolder& folder_;
  RunSeconds& seconds_;
  TrainEvents& events_;
  ModelParts parts_;
  std::optional<Model> exact_prefix_;  // if parts_.prefix is in lower precision
  std::unique_ptr<FrozenPart> prefix_;
  DeviceState state_;
  Data train_, val_;
  std::unique_ptr<Batches> batches_;
  CompileOptions compile_;  // of the programs below: what --memory leaves to them
  std::unique_ptr<StepPrograms> steps_;
  std::unique_ptr<EvalProgram> eval_;
  RunProgress progress_;
  std::map<std::string, Tensor> best_;  // state of the best epoch, on the host
  std::optional<Evaluation> best_validation_;
  Clock clock_, since_save_, since_shown_;
  double seconds_before_ = 0, save_seconds_ = 0, epoch_before_ = 0;
  int64_t trained_samples_ = 0;
};

}  // namespace temper
