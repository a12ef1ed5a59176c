#include "train/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace temper {
namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

void set_rates(ClassScore& score, int64_t right, int64_t predicted, int64_t present) {
  score.samples = present;
  score.precision = ratio(static_cast<double>(right), static_cast<double>(predicted));
  score.recall = ratio(static_cast<double>(right), static_cast<double>(present));
  score.f1 = ratio(2 * score.precision * score.recall, score.precision + score.recall);
}

}  // namespace

int64_t best_index(std::span<const float> scores) {
  return std::max_element(scores.begin(), scores.end()) - scores.begin();
}

double average_precision(std::vector<std::pair<float, bool>> scores) {
  std::ranges::sort(scores, [](const auto& a, const auto& b) { return a.first > b.first; });
  double sum = 0;
  int64_t right = 0;
  for (size_t i = 0; i < scores.size();) {
    size_t end = i;
    int64_t here = 0;
    while (end < scores.size() && scores[end].first == scores[i].first) here += scores[end++].second;
    right += here;
    sum += static_cast<double>(here) * static_cast<double>(right) / static_cast<double>(end);
    i = end;
  }
  return ratio(sum, static_cast<double>(right));
}

Metrics::Metrics(Kind kind, int64_t width) : kind_(kind), width_(static_cast<size_t>(width)) {
  if (kind == Kind::classes) confusion_.assign(width_, std::vector<int64_t>(width_));
  if (kind == Kind::several) scores_.resize(width_);
}

void Metrics::add(std::span<const float> scores, int64_t truth, double loss) {
  TEMPER_CHECK(
      kind_ == Kind::classes && scores.size() == width_ && truth >= 0 && static_cast<size_t>(truth) < width_,
      "class ", truth, " of ", width_);
  const auto own = static_cast<size_t>(truth);
  int64_t ahead = 0;
  for (size_t i = 0; i < width_; ++i)
    ahead += scores[i] > scores[own] || (scores[i] == scores[own] && i < own);
  ++samples_;
  loss_ += loss;
  correct_ += ahead == 0;
  top5_ += ahead < 5;
  ++confusion_[own][static_cast<size_t>(best_index(scores))];
}

void Metrics::add(std::span<const float> scores, std::span<const float> truth, double loss) {
  TEMPER_CHECK(kind_ != Kind::classes && scores.size() == width_ && truth.size() == width_, "truth of ",
               truth.size());
  ++samples_;
  loss_ += loss;
  if (kind_ == Kind::values) return;
  bool all = true;
  for (size_t i = 0; i < width_; ++i) {
    all &= (scores[i] > 0.5f) == (truth[i] > 0.5f);
    scores_[i].emplace_back(scores[i], truth[i] > 0.5f);
  }
  correct_ += all;
}

void Metrics::score_classes(Evaluation& evaluation) const {
  for (size_t c = 0; c < width_; ++c) {
    int64_t predicted = 0;
    for (const auto& row : confusion_) predicted += row[c];
    const int64_t present = std::accumulate(confusion_[c].begin(), confusion_[c].end(), int64_t{0});
    set_rates(evaluation.classes[c], confusion_[c][c], predicted, present);
  }
  evaluation.top5 = ratio(static_cast<double>(top5_), static_cast<double>(samples_));
  evaluation.confusion = confusion_;
}

void Metrics::score_several(Evaluation& evaluation) const {
  double sum = 0;
  int64_t counted = 0;
  for (size_t c = 0; c < width_; ++c) {
    int64_t right = 0, predicted = 0, present = 0;
    for (const auto& [score, truth] : scores_[c]) {
      predicted += score > 0.5f;
      present += truth;
      right += score > 0.5f && truth;
    }
    ClassScore& score = evaluation.classes[c];
    set_rates(score, right, predicted, present);
    score.average_precision = average_precision(scores_[c]);
    if (present > 0) sum += *score.average_precision, ++counted;
  }
  evaluation.mean_average_precision = ratio(sum, static_cast<double>(counted));
  evaluation.top5 = std::nan("");
}

Evaluation Metrics::result(const std::vector<std::string>& labels) const {
  Evaluation evaluation;
  evaluation.samples = samples_;
  evaluation.loss = samples_ > 0 ? loss_ / static_cast<double>(samples_) : std::nan("");
  if (kind_ == Kind::values) {
    evaluation.accuracy = evaluation.top5 = std::nan("");
    return evaluation;
  }
  evaluation.accuracy =
      samples_ > 0 ? ratio(static_cast<double>(correct_), static_cast<double>(samples_)) : std::nan("");
  evaluation.classes.resize(width_);
  for (size_t c = 0; c < width_; ++c)
    evaluation.classes[c].label = c < labels.size() ? labels[c] : std::to_string(c);
  kind_ == Kind::classes ? score_classes(evaluation) : score_several(evaluation);
  return evaluation;
}

}  // namespace temper
