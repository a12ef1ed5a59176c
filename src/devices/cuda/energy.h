#pragma once
// What a GPU has taken, by NVML's counter (Volta and newer).
#include <optional>
#include <string>

#include "devices/cuda/api.h"

namespace temper::cuda {

class EnergyCounter {
 public:
  explicit EnergyCounter(const std::string& bus);  // of the GPU there

  std::optional<double> joules() const;            // since the driver was loaded; none if there is no counter
  const std::string& why() const { return why_; }  // why there is none; else empty

 private:
  const NvmlApi* api_ = nullptr;
  CCard* card_ = nullptr;
  std::string why_;
};

}  // namespace temper::cuda
