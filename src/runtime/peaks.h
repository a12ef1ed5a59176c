#pragma once
// What a device reaches: measured through its own compiler, and kept from run to run.
#include "runtime/device.h"

namespace temper {

struct Peaks {
  double flops = 0, bf16_flops = 0, bytes_per_second = 0;
};

// Products of matrices of 1024 x 1024 in f32 and bf16, and sums that read and write 64 MB; the best run of
// each counts. Under a second, and the time to compile three small programs. What the device refuses is 0.
Peaks measure_peaks(Device& device);
DeviceFacts with_peaks(DeviceFacts facts, const Peaks& peaks);

// From this machine's memory to the device's: the best of several copies of 64 MB.
double measure_upload(Device& device);  // bytes per second
// A program that adds two numbers: what a run costs before it computes anything.
double measure_launch(Device& device);  // seconds

// device.measure() with both of these, measured once per machine, device, driver and version of temper and
// kept in the cache folder. refresh: measured now. A file that is damaged is said and measured again.
DeviceFacts kept_peaks(Device& device, bool refresh = false);

}  // namespace temper
