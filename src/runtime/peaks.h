#pragma once
// What a device reaches, measured through its own compiler: for one that has no better way.
#include "runtime/device.h"

namespace temper {

struct Peaks {
  double flops = 0, bf16_flops = 0, bytes_per_second = 0;
};

// Products of matrices of 1024 x 1024 in f32 and bf16, and sums that read and write 64 MB; the best run of
// each counts. Under a second, and the time to compile three small programs. What the device refuses is 0.
Peaks measure_peaks(Device& device);
DeviceFacts with_peaks(DeviceFacts facts, const Peaks& peaks);

}  // namespace temper
