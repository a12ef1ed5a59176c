#pragma once
// Dropout over a run of elements that are neighbours in logical order.
#include "base/philox.h"

namespace temper::cpu {

// y[i] = x[i] factor where the random word of element index + i is at least threshold, else 0. Runs do not
// cross an index that is a multiple of 2^32.
void drop_run(const float* x, PhiloxKey key, uint64_t index, uint32_t threshold, float factor, int64_t n,
              float* y);

}  // namespace temper::cpu
