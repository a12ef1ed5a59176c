#pragma once
// The samples of one call, shared out among several devices by their speed.
#include <span>
#include <vector>

#include "place/inference.h"

namespace temper {

// The same model on each of `devices`; inputs and results as Inference::run has them. Parts of equal size,
// the last one filled up, run on whichever device is free, so that which one a sample comes to depends on
// time: its results are those of one of them. Error invalid where samples cannot be told apart: axis 0 of
// each input must be their number, that of each result a multiple of it, and no sample may reach another's
// results. The error of a device names it.
std::vector<Tensor> run_shared(std::span<Inference* const> devices, std::span<const Tensor> inputs);

}  // namespace temper
