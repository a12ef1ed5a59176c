#include "devices/cuda/energy.h"

#include "base/text.h"
#include "devices/cuda/libraries.h"

namespace temper::cuda {

EnergyCounter::EnergyCounter(const std::string& bus) {
  const Opened<NvmlApi>* const nvml = open_nvml(why_);
  if (!nvml) return;
  const NvmlApi& api = nvml->api;
  unsigned long long millijoules = 0;
  Status status = api.nvmlInit_v2();
  if (status == 0) status = api.nvmlDeviceGetHandleByPciBusId_v2(bus.c_str(), &card_);
  if (status == 0) status = api.nvmlDeviceGetTotalEnergyConsumption(card_, &millijoules);
  if (status == 0) api_ = &api;
  why_ = status == 0 ? "" : concat("NVML: ", api.nvmlErrorString(status));
}

std::optional<double> EnergyCounter::joules() const {
  unsigned long long millijoules = 0;
  if (!api_ || api_->nvmlDeviceGetTotalEnergyConsumption(card_, &millijoules) != 0) return std::nullopt;
  return static_cast<double>(millijoules) * 1e-3;
}

}  // namespace temper::cuda
