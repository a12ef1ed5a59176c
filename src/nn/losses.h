#pragma once
// Losses: functions that emit graph. One value per sample; whoever trains weights and sums them.
#include <string>

#include "ir/builder.h"

namespace temper::nn {

struct Loss {
  std::string kind = "cross-entropy";  // cross-entropy, bce, nll, mse, mae, huber
  double label_smoothing = 0;          // cross-entropy and bce
};

// What the model's last op has done to its scores.
enum class OutputForm { logits, probabilities, log_probabilities };

// Labels are class indices, i64 [n], for cross-entropy and nll; else values of the output's shape, f32.
bool takes_classes(const Loss& loss);

// output: [n, ...], any float dtype -> f32 [n]. cross-entropy and nll want [n, classes]; nll wants log
// probabilities; the others average over everything but the batch. cross-entropy also takes labels of the
// output's shape: the share of each class. bce takes one 0 or 1 per output.
// Probabilities are kept at least 1e-7 away from 0 and 1. huber is quadratic below 1. Error invalid if the
// output's shape does not fit the loss.
Value loss_per_sample(Builder& b, const Loss& loss, Value output, OutputForm form, Value labels);

}  // namespace temper::nn
