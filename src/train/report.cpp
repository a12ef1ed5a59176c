#include "train/report.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "data/encode.h"
#include "data/resize.h"
#include "report/html.h"
#include "report/table.h"
#include "temper/error.h"
#include "train/metrics.h"

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

// A small JPEG as a data: URI, or nothing.
std::string thumbnail(const Dataset& dataset, int64_t sample) {
  constexpr int kSide = 144;
  if (!dataset.source->has_pictures()) return "";
  try {
    const Image picture = dataset.source->picture(dataset.rows[static_cast<size_t>(sample)], 3, kSide);
    const double scale = static_cast<double>(kSide) / std::min(picture.width, picture.height);
    const auto scaled = [&](int side) { return std::max(1, static_cast<int>(std::lround(side * scale))); };
    const Image small = resize(picture, scaled(picture.width), scaled(picture.height));
    return "data:image/jpeg;base64," + base64(encode_jpeg(small, 80));
  } catch (const Error&) {
    return "";
  }
}

}  // namespace

void Gallery::add(int64_t sample, std::span<const float> scores) {
  const int64_t label = best_index(scores);
  guesses_.push_back({sample, label, scores[static_cast<size_t>(label)]});
}

std::vector<SamplePrediction> Gallery::predictions(const Dataset& dataset,
                                                   const std::vector<std::string>& labels,
                                                   size_t count) const {
  std::vector<SamplePrediction> shown;
  if (dataset.kind != TargetKind::classes) return shown;
  const auto name = [&](int64_t label) {
    return static_cast<size_t>(label) < labels.size() ? labels[static_cast<size_t>(label)] : concat(label);
  };
  count = std::min(count, guesses_.size());
  for (size_t i = 0; i < count; ++i) {
    const Guess& guess = guesses_[i * guesses_.size() / count];
    shown.push_back({.file = dataset.name(guess.sample),
                     .truth = name(dataset.labels[static_cast<size_t>(guess.sample)]),
                     .prediction = name(guess.label),
                     .score = guess.score,
                     .picture = thumbnail(dataset, guess.sample)});
  }
  return shown;
}

std::string report_page(const Recipe& recipe, const TrainResult& result,
                        std::vector<SamplePrediction> samples) {
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
      {"Device", concat(devices_text(result), ", ", result.threads, " threads")},
      {"Seed", concat(result.seed)}};
  report.plots.push_back(plot("Loss", result, &EpochReport::train_loss, &EpochReport::val_loss));
  report.plots.push_back(plot("Accuracy", result, &EpochReport::train_accuracy, &EpochReport::val_accuracy));
  report.samples = std::move(samples);
  return render_html(report);
}

}  // namespace temper
