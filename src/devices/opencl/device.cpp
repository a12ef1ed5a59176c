#include <atomic>
#include <mutex>

#include "base/log.h"
#include "devices/opencl/driver.h"
#include "devices/opencl/opencl.h"
#include "devices/opencl/tiles.h"
#include "launches/executable.h"
#include "launches/tensors.h"
#include "runtime/peaks.h"

namespace temper::opencl {

namespace {

constexpr uint64_t kOperandBytes = 16;  // of a kernel's arguments

class OpenclDevice : public Device {
 public:
  OpenclDevice(std::string name, std::shared_ptr<Driver> driver)
      : name_(std::move(name)), driver_(std::move(driver)) {
    const uint64_t type = driver_->number(kDeviceType);
    facts_.target = {.name = "opencl"};
    facts_.target.facts = {{"device", driver_->name()},
                           {"driver", driver_->text(kDriverVersion)},
                           {"platform", driver_->platform()},
                           {"version", driver_->text(kDeviceVersion)},
                           {"units", concat(driver_->number(kDeviceComputeUnits))},
                           {"type", type & kTypeCpu   ? "cpu"
                                    : type & kTypeGpu ? "gpu"
                                                      : "accelerator"},
                           {"vector", concat(driver_->number(kDeviceVectorFloats))},
                           {"operands", concat(driver_->number(kDeviceMaxParameters) / kOperandBytes)},
                           {"f64", has_extension("cl_khr_fp64") ? "yes" : "no"}};
    facts_.target.memory_bytes = static_cast<int64_t>(driver_->number(kDeviceMemory));
    facts_.description = concat(driver_->name(), ", ", driver_->number(kDeviceComputeUnits), " units");
    facts_.on_host = (type & kTypeCpu) != 0;
    if (const std::optional<std::string> tiles = remembered_tiles(facts_.target)) {
      facts_.target.facts[kTilesFact] = *tiles;
      tuned_ = true;
    }
  }

  std::string_view name() const override { return name_; }
  const Target& target() const override { return opencl_target(); }
  DeviceFacts facts() override {
    const std::lock_guard lock(mutex_);
    return facts_;
  }
  DeviceFacts measure() override {
    if (!peaks_) peaks_ = measure_peaks(*this);
    return with_peaks(facts(), *peaks_);
  }

  Tensor allocate(const Type& type, int64_t) override { return launches::allocate(*driver_, type, this); }
  void copy(const Tensor& from, Tensor& to) override { launches::copy(*driver_, from, to); }

  // Kernels are planned again from the facts, so that the program's have the tiles that were found just now.
  std::unique_ptr<Executable> load(std::shared_ptr<const Program> program) override {
    if (!tuned_ && is_worth_tuning(program->graph)) tune();
    return launches::make_executable(*this, driver_, opencl_vendor(), std::move(program));
  }

 private:
  bool has_extension(std::string_view name) const {
    const std::string all = driver_->text(kDeviceExtensions);
    for (const std::string_view extension : split(all, ' '))
      if (extension == name) return true;
    return false;
  }

  void tune() {
    tuned_ = true;  // from now on: what is measured is large, too
    const auto set = [this](const std::string& tiles) {
      const std::lock_guard lock(mutex_);
      facts_.target.facts[kTilesFact] = tiles;
    };
    if (const std::optional<std::string> tiles = tune_tiles(*this, set))
      log_info("`", name_, "`: sizes of tiles were measured, once for this device: ", *tiles);
  }

  std::string name_;
  std::shared_ptr<Driver> driver_;
  std::mutex mutex_;  // of the facts
  DeviceFacts facts_;
  std::atomic<bool> tuned_ = false;
  std::optional<Peaks> peaks_;
};

std::unique_ptr<Device> open(std::string_view which) {
  const int number = device_number("opencl", which);
  return std::make_unique<OpenclDevice>(concat("opencl", which.empty() ? "" : ":", which),
                                        Driver::create(number));
}

}  // namespace

DeviceKind opencl_device() { return {"opencl", open, &opencl_target()}; }

}  // namespace temper::opencl
