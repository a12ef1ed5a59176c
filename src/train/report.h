#pragma once
// report.html of a run.
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "report/html.h"
#include "train/recipe.h"
#include "train/trainer.h"

namespace temper {

// What a model said of the samples of a data set, and a few of them as pictures.
class Gallery {
 public:
  void add(int64_t sample, std::span<const float> scores);
  // At most `count`, spread evenly over the samples. Only for one label a sample; empty if nothing was added.
  // What has no picture, or one that cannot be read now, is shown without.
  std::vector<SamplePrediction> predictions(const Dataset& dataset, const std::vector<std::string>& labels,
                                            size_t count) const;

 private:
  struct Guess {
    int64_t sample = 0, label = 0;
    double score = 0;
  };
  std::vector<Guess> guesses_;
};

std::string report_page(const Recipe& recipe, const TrainResult& result,
                        std::vector<SamplePrediction> samples);

}  // namespace temper
