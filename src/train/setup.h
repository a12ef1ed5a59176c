#pragma once
// From a recipe to what a run needs: everything opened, matched and decided.
#include <set>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"
#include "model/model.h"
#include "nn/losses.h"
#include "nn/optimizers.h"
#include "nn/schedules.h"
#include "runtime/device.h"
#include "train/events.h"
#include "train/recipe.h"
#include "train/step.h"

namespace temper {

struct Setup {
  Recipe recipe;                    // everything decided, so that it repeats the run
  Device* device = nullptr;         // that trains
  Device* frozen_device = nullptr;  // that computes the frozen part
  bool roles = false;               // both were named: there must be a frozen part
  CompileOptions compile;
  Model model;  // with its new head, if it has one
  bool new_head = false;
  std::set<std::string> trainable;
  DataSplits data;
  std::vector<float> class_weights;
  Preprocess preprocess;
  Augment augment;
  nn::Loss loss;
  nn::Optimizer optimizer;
  nn::Schedule schedule;
};

// Looks at every option first, so that a mistake costs no time. Errors as the parts throw them.
Setup prepare(const Recipe& recipe, TrainEvents& events);

StepOptions step_options(const Setup& setup);

// What a picture goes through before the model. Error invalid, naming the presets, if nothing says.
Preprocess preprocess_of(const Model& model);
Preprocess preprocess_for(const Model& model,
                          const Dataset& dataset);  // nothing for samples that are no pictures

// Throws Error invalid unless samples of this shape fill the model's input.
void check_input(const Model& model, const Shape& sample);

// Matches classes of the data and labels of the model: by name, or by index, which is said.
void match_labels(DataSplits& data, const Model& model, TrainEvents& events);

nn::Loss default_loss(const Dataset& dataset, const Model& model);

}  // namespace temper
