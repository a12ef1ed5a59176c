#pragma once
// A float model as one that computes with 8-bit integers, its ranges taken from samples.
#include <span>

#include "model/model.h"
#include "quantize/ranges.h"
#include "runtime/device.h"

namespace temper {

struct QuantizeOptions {
  Calibrator calibrator = Calibrator::error;
  CompileOptions compile;
};

// `model` in inference form: batch norms folded, weights computed. batches: host tensors of one type for its
// only data input. Integers are constants of the result's graph; parameters that became such are gone. Error
// unsupported if nothing can run on integers.
Model quantize(Device& device, const Model& model, std::span<const Tensor> batches,
               const QuantizeOptions& options = {});

bool is_quantized(const Graph& graph);  // holds integers that stand for real numbers

}  // namespace temper
