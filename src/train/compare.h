#pragma once
// One model on several devices: what each answers, how far that is from the first one's answers, and where in
// the graph they part.
#include <optional>
#include <string>
#include <vector>

#include "train/evaluate.h"
#include "train/first_difference.h"

namespace temper {

struct DeviceAnswers {
  std::string device;
  double loss = 0, accuracy = 0;
  double label_agreement = 1;                       // share of samples with the first device's prediction
  double max_difference = 0, mean_difference = 0;   // of all scores, absolute
  std::optional<FirstDifference> first_difference;  // none: all nodes are within the bound
};

struct Comparison {
  std::string split;
  int64_t samples = 0;
  std::vector<DeviceAnswers> devices;  // as they were named
  double bound = 0, seconds = 0;
};

// Runs `options` on each device; the nodes are compared on the batch whose scores are furthest apart. Error
// device if one of them does not answer.
Comparison compare_devices(const EvaluateOptions& options, const std::vector<std::string>& devices,
                           double bound, TrainEvents& events);

}  // namespace temper
