#pragma once
// Results as JSON, one line each: what `--json` prints and result.json holds. Numbers that are not finite are
// null.
#include <string>

#include "train/compare.h"
#include "train/evaluate.h"
#include "train/predict.h"
#include "train/trainer.h"

namespace temper {

std::string to_json(const TrainResult& result);     // "command":"tune", ...
std::string to_json(const Evaluation& evaluation);  // "command":"eval", ...
std::string to_json(const Comparison& comparison);  // the same
std::string to_json(
    const Prediction& prediction);  // "command":"predict", ...; an error object for a bad file
std::string to_json(const Error& error, std::string_view command);

}  // namespace temper
