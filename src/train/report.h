#pragma once
// report.html of a run.
#include <string>

#include "train/recipe.h"
#include "train/trainer.h"

namespace temper {

std::string report_page(const Recipe& recipe, const TrainResult& result);

}  // namespace temper
