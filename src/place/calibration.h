#pragma once
// What a device was measured to take for small programs of known work; from it CostModel predicts others.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "place/work.h"

namespace temper {

// A program that was run.
struct Observation {
  std::vector<Work> works;
  double seconds = 0;  // of a run
};

struct Calibration {
  // Seconds for a byte read or written, by the bytes that a program touches in all; ascending, all above 0.
  std::vector<std::pair<double, double>> byte_seconds;
  std::vector<Observation> observations;
};

// Runs probes() through the device's own compiler; some seconds. What it refuses is left out.
// progress is called before each probe.
using CalibrationProgress = std::function<void(int64_t done, int64_t of)>;
Calibration calibrate(Device& device, int threads = 0, const CalibrationProgress& progress = {});

// The same, kept in the cache folder by machine, device, its driver's version, threads and temper's own
// version. A file that is damaged is said and measured again.
Calibration kept_calibration(Device& device, int threads, bool refresh,
                             const CalibrationProgress& progress = {});

std::string to_json(const Calibration& calibration);
Calibration parse_calibration(std::string_view json);  // Error corrupt says what is wrong

}  // namespace temper
