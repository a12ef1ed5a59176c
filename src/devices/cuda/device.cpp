#include "devices/cuda/blas.h"
#include "devices/cuda/cuda.h"
#include "devices/cuda/driver.h"
#include "devices/cuda/energy.h"
#include "launches/executable.h"
#include "launches/tensors.h"
#include "runtime/peaks.h"

namespace temper::cuda {

namespace {

std::string products_text(const Driver& driver) {
  const Blas* const blas = driver.blas();
  if (!blas) return concat("own kernels (", driver.why_no_blas(), ")");
  return concat("cuBLASLt ", blas->version(), blas->tf32() ? ", f32 as TF32" : "");
}

class CudaDevice : public Device {
 public:
  CudaDevice(std::string name, std::shared_ptr<Driver> driver)
      : name_(std::move(name)), driver_(std::move(driver)), energy_(driver_->bus()) {
    int major = 0, minor = 0;
    driver_->nvrtc().api.nvrtcVersion(&major, &minor);
    facts_.target = {.name = "cuda"};
    facts_.target.facts = {{"architecture", concat("sm_", driver_->architecture())},
                           {"device", driver_->name()},
                           {"driver", concat("CUDA ", version_text(driver_->version()))},
                           {"nvrtc", concat(major, ".", minor, ", ", driver_->nvrtc().library.name())},
                           {"products", products_text(*driver_)},
                           {"units", concat(driver_->units())}};
    if (const Blas* const blas = driver_->blas()) facts_.target.facts.emplace("cublaslt", blas->version());
    facts_.target.memory_bytes = driver_->memory_bytes();
    facts_.description = concat(driver_->name(), ", ", driver_->units(), " multiprocessors");
    if (energy_.joules()) facts_.power_counter = "NVML";
  }

  std::string_view name() const override { return name_; }
  const Target& target() const override { return cuda_target(); }
  DeviceFacts facts() override { return facts_; }
  DeviceFacts measure() override {
    if (!peaks_) peaks_ = measure_peaks(*this);
    return with_peaks(facts_, *peaks_);
  }
  std::optional<double> joules() override { return energy_.joules(); }

  Tensor allocate(const Type& type, int64_t) override { return launches::allocate(*driver_, type, this); }
  void copy(const Tensor& from, Tensor& to) override { launches::copy(*driver_, from, to); }

  std::unique_ptr<Executable> load(std::shared_ptr<const Program> program) override {
    return launches::make_executable(*this, driver_, cuda_vendor(), std::move(program));
  }

 private:
  std::string name_;
  std::shared_ptr<Driver> driver_;
  EnergyCounter energy_;
  DeviceFacts facts_;
  std::optional<Peaks> peaks_;
};

std::unique_ptr<Device> open(std::string_view which) {
  const int number = device_number("cuda", which);
  return std::make_unique<CudaDevice>(concat("cuda", which.empty() ? "" : ":", which),
                                      Driver::create(number));
}

}  // namespace

DeviceKind cuda_device() { return {"cuda", open, &cuda_target()}; }

}  // namespace temper::cuda
