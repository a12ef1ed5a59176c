#include "train/report.h"

#include <cmath>

#include "base/text.h"
#include "report/html.h"
#include "report/table.h"

namespace temper {
namespace {

Curve curve(const std::string& name, const TrainResult& result, double EpochReport::* value, bool validated) {
  Curve curve{.name = name};
  for (const EpochReport& report : result.history) {
    curve.values.push_back(!validated || report.validated ? report.*value : std::nan(""));
  }
  return curve;
}

Plot plot(const std::string& title, const TrainResult& result, double EpochReport::* train,
          double EpochReport::* val) {
  Plot plot{.title = title,
            .curves = {curve("train", result, train, false)},
            .mark = static_cast<int>(result.best_epoch) - 1};
  if (result.val) plot.curves.push_back(curve("val", result, val, true));
  return plot;
}

}  // namespace

std::string report_page(const Recipe& recipe, const TrainResult& result) {
  const Evaluation* shown = result.test ? &*result.test : result.val_details ? &*result.val_details : nullptr;
  Report report;
  report.title = concat(recipe.model, " on ", recipe.data);
  if (shown) {
    report.summary = concat("Accuracy ", percent_text(shown->accuracy), " on the ", shown->samples,
                            " samples of ", shown->split, ", after epoch ", result.best_epoch, ".");
    report.confusion = shown->confusion;
    for (const ClassScore& score : shown->classes) report.labels.push_back(score.label);
  }
  report.facts = {
      {"Model", recipe.model},
      {"Data", recipe.data},
      {"Head", recipe.head.empty() ? "the model's own" : recipe.head},
      {"Trained", concat(count_text(result.parameters_trained), " of ", count_text(result.parameters_total),
                         " parameters (", recipe.trainable, ")")},
      {"Optimizer",
       concat(recipe.optimizer, ", learning rate ", recipe.lr.value_or(0), ", batch ", recipe.batch)},
      {"Epochs", concat(result.epochs, ", best ", result.best_epoch)},
      {"Time", duration_text(result.seconds.total)},
      {"Device", concat(result.device, ", ", result.threads, " threads")},
      {"Seed", concat(result.seed)}};
  report.plots.push_back(plot("Loss", result, &EpochReport::train_loss, &EpochReport::val_loss));
  report.plots.push_back(plot("Accuracy", result, &EpochReport::train_accuracy, &EpochReport::val_accuracy));
  return render_html(report);
}

}  // namespace temper
