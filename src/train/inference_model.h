#pragma once
// A model made ready to answer, in the arithmetic that --precision asks for.
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/preprocess.h"
#include "model/model.h"
#include "runtime/device.h"

namespace temper {

// Batches of one size for quantize: a few dozen samples in random order, as `preprocess` makes them.
std::vector<Tensor> calibration_batches(const Dataset& dataset, const Preprocess& preprocess, uint64_t seed);

// Folded (see fold_frozen), and with precision i8 quantised by what `calibrate` holds, data as --data takes
// it. A file that is quantised already needs none. Error invalid if there is nothing to calibrate on.
Model inference_model(Device& device, const Model& model, DType precision, const std::string& calibrate,
                      uint64_t seed, const CompileOptions& compile);

}  // namespace temper
