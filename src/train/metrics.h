#pragma once
// Scores of an evaluation, gathered sample by sample on the host, in double and in the order of the samples.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "train/evaluate.h"

namespace temper {

class Metrics {
 public:
  // One label a sample, several labels a sample, or numbers to be met.
  enum class Kind { classes, several, values };
  Metrics(Kind kind, int64_t width);  // width: scores per sample

  // scores: probabilities, [width]. Ties go to the lower index.
  void add(std::span<const float> scores, int64_t truth, double loss);                 // classes
  void add(std::span<const float> scores, std::span<const float> truth, double loss);  // several, values

  // Everything but split, skipped, agreement and seconds. labels: by index; an index stands for a missing
  // one.
  Evaluation result(const std::vector<std::string>& labels) const;

 private:
  void score_classes(Evaluation& evaluation) const;
  void score_several(Evaluation& evaluation) const;

  Kind kind_;
  size_t width_;
  int64_t samples_ = 0, correct_ = 0, top5_ = 0;
  double loss_ = 0;
  std::vector<std::vector<int64_t>> confusion_;  // classes: [truth][prediction]
  std::vector<std::vector<std::pair<float, bool>>>
      scores_;  // several: by class, (score, truth) of every sample
};

// Area under precision over recall, as the sum of precision at each true sample in falling order of score;
// samples of equal score count together. 0 without true samples.
double average_precision(std::vector<std::pair<float, bool>> scores);

int64_t best_index(std::span<const float> scores);  // of the highest, the first of equals

}  // namespace temper
