#include "train/evaluate.h"

#include "train/auto_device.h"
#include "train/evaluate_model.h"
#include "train/job.h"
#include "train/machine.h"
#include "train/open_model.h"

namespace temper {

Evaluation evaluate(const EvaluateOptions& options, TrainEvents& events, const EachSample& each) {
  const Clock clock;
  choose_precision("precision", options.precision, "eval");  // before work begins
  const std::vector<Device*> devices = choose_devices(known_device(options.device, options.model));
  const EvaluationSet set = open_evaluation(options, events);
  EachScore line;
  if (each)
    line = [&](const Targets& targets, int64_t sample, std::span<const float> scores, double loss) {
      each({.file = set.dataset.name(sample),
            .truth = targets.truth_text(sample, set.model.labels),
            .prediction = targets.prediction_text(scores, set.model.labels),
            .score = scores[static_cast<size_t>(best_index(scores))],
            .loss = loss});
    };
  EvaluationPass pass = evaluate_model(options, set.model, set.dataset, devices, events, line);
  if (!options.reference.empty()) {
    const Model reference =
        open_model({.model = options.reference, .seed = static_cast<uint64_t>(options.seed)}, events);
    const EvaluationPass other = evaluate_model(options, reference, set.dataset, devices, events);
    pass.evaluation.agreement = agreement(pass.predictions, other.predictions);
  }
  pass.evaluation.split = set.split;
  pass.evaluation.seconds = clock.seconds();
  return pass.evaluation;
}

}  // namespace temper
