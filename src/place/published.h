#pragma once
// Devices that are not here, by what their makers publish.
#include <optional>
#include <span>
#include <string_view>

#include "place/work.h"
#include "temper/dtype.h"

namespace temper {

struct PublishedDevice {
  std::string_view name;   // "h100": as prices name it, too
  std::string_view title;  // "NVIDIA H100 SXM"
  double f32_flops = 0;    // per second, as f32 is computed with all its digits; 0: it has none
  double bf16_flops = 0;   // bf16 or f16 with sums in f32, no sparsity; 0: it has none
  double bytes_per_second = 0;
  double memory_bytes = 0;
  double watts = 0;         // the most that it is built to take; 0: not published
  std::string_view source;  // whose numbers, and of which year
  bool trains = true;       // else it takes int8 inference alone
};
std::span<const PublishedDevice> published_devices();

struct Estimate {
  std::optional<double> seconds;  // none: `why`
  std::string why;
  double width = 1;  // of an element, as a share of f32's
};
// Each launch is held up by arithmetic or by memory, at the share of the published peaks that programs tend
// to reach, and costs 5 microseconds.
Estimate estimate(const PublishedDevice& device, std::span<const Work> works, DType precision, bool trains);

}  // namespace temper
